// What has to be said to a data plane so that it has one configuration where it had another. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "desired/configuration.h"
#include "fairlead/v1/management.pb.h"

namespace fairlead::desired {

// Of one transaction. One operation is sent even where it is larger than `bytes`: the data plane says why it cannot be.
struct BatchLimits {
  std::size_t operations = 1000;
  std::size_t bytes = std::size_t{1} << 20;
};

// Transactions without ids. Each leaves the data plane in a state that makes sense: what is referred to comes before
// what refers to it and goes after it, and servers come before others go. All changes of listeners are one transaction,
// whatever its size, so that an address can pass from one to another. Others are EACH: one that is refused does not
// hold up the rest. Deletions say nothing about the drain, so the backend's holds.
std::vector<fairlead::v1::Transaction> difference(const Configuration& from, const Configuration& to,
                                                  const BatchLimits& limits);

// The names of what differs, at most `most` of them, with how: "server app/s1 is missing", "backend app is different",
// "listener web should not be there"; then "and 12 more". Empty where nothing does.
std::string describe_difference(const Configuration& is, const Configuration& should_be, std::size_t most);

// Why going from one to the other is refused: more than `max_percent` of a backend's servers, of all backends, of all
// listeners or of all certificates would go. Of one of a kind, that one may always go. (The rule of
// EndResync.max_removal_percent.) A backend that goes takes its servers with it; they count among all servers.
std::optional<std::string> removes_too_much(const Configuration& from, const Configuration& to, unsigned max_percent);

}  // namespace fairlead::desired
