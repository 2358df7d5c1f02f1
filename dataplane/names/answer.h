// What nameservers say of a name. Values; pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/endpoint.h"
#include "names/settings.h"

namespace fairlead::names {

// More of an answer are not looked at.
inline constexpr size_t kAddressesMax = 64;

// Of one question: the addresses of one family.
struct Part {
  // Port 0. Of several equal ones the first; sorted.
  std::vector<config::Endpoint> addresses;
  // How many more there were than kAddressesMax.
  size_t left_out = 0;
  config::Duration ttl{};
  // Unset where there are addresses.
  std::optional<Failure> failure;
  // For people: "NXDOMAIN", "no answer from 10.0.0.2:53". Of a failure.
  std::string problem;

  static Part failed(Failure failure, std::string problem) {
    Part part;
    part.failure = failure;
    part.problem = std::move(problem);
    return part;
  }
};

// Of both questions, what counts. `had_any`: there was a good answer before, which a failure of the preferred family
// must not turn into the other one's.
Part combine(Part preferred, Part other, bool had_any);

// What is known of a name now, as the store has it.
struct Fact {
  std::string name;
  // What a server may have, best first: of the last good answer, then those that it had before and that are still held.
  // Port 0. Empty: nothing.
  std::vector<config::Endpoint> addresses;
  // How many of these are in the last good answer.
  size_t present = 0;
  // "3 addresses", "NXDOMAIN; the last answer is kept". Never empty.
  std::string reason;

  bool operator==(const Fact&) const = default;
};

}  // namespace fairlead::names
