// What nameservers say of a name. Values; pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/discovery.h"
#include "config/endpoint.h"
#include "names/settings.h"

namespace fairlead::names {

// More of an answer are not looked at.
inline constexpr size_t kAddressesMax = 64;

// Of one question: the addresses of one family, or the services of an SRV name.
struct Part {
  // Port 0. Of several equal ones the first; sorted.
  std::vector<config::Endpoint> addresses;
  // Each target and port once; by priority, then by target and port. At most config::kDiscoveredMax.
  std::vector<config::Service> services;
  // How many more there were.
  size_t left_out = 0;
  config::Duration ttl{};
  // Unset where there are any.
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
  // An SRV name as config::service_question() has it.
  std::string name;
  // What a server may have, best first: of the last good answer, then those that it had before and that are still held.
  // Port 0. Empty: nothing.
  std::vector<config::Endpoint> addresses;
  // Of an SRV name: the same.
  std::vector<config::Service> services;
  // How many of these are in the last good answer.
  size_t present = 0;
  // "3 addresses", "1 server", "NXDOMAIN; the last answer is kept". Never empty.
  std::string reason;

  bool operator==(const Fact&) const = default;
};

}  // namespace fairlead::names
