// Which backend a request goes to, compiled from a listener's routes when the record is made; routing/ looks things up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/queue_policy.h"

namespace fairlead::config {

// A backend that may have gone: look up the slot in a snapshot and compare the uid.
struct BackendHandle {
  uint32_t slot = 0;
  uint64_t uid = 0;  // 0: none
  friend bool operator==(const BackendHandle&, const BackendHandle&) = default;
};

// Where a request goes, how it waits there, and which of the listener's routes says so.
struct RouteTarget {
  static constexpr uint16_t kNoRoute = 0xffff;

  BackendHandle backend;
  uint8_t priority = kPriorityDefault;
  uint16_t route = kNoRoute;
  // The route does more than naming a backend.
  bool has_actions = false;
  friend bool operator==(const RouteTarget&, const RouteTarget&) = default;
};

// The longest first, those of equal length sorted: a table's order of paths and wildcards, which look-ups rely on.
struct LongestFirst {
  bool operator()(std::string_view a, std::string_view b) const {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  }
};

struct RouteTable {
  struct Path {
    // Without a trailing slash; empty matches every path.
    std::string prefix;
    RouteTarget target;
  };
  struct Host {
    // Lower case. A wildcard's is kept without its "*": ".example.com". Empty matches every host.
    std::string name;
    // LongestFirst, by prefix.
    std::vector<Path> paths;
  };
  // Sorted by name.
  std::vector<Host> exact;
  // LongestFirst, by name.
  std::vector<Host> wildcard;
  // Routes without a host. LongestFirst, by prefix.
  std::vector<Path> any_host;
  BackendHandle default_backend;
};

}  // namespace fairlead::config
