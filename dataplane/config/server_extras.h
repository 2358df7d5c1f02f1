// Settings of a server that most servers do not have: a record of its own, which costs those nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ref.h"
#include "config/check_place.h"

namespace fairlead::config {

// Fields that are unset hold what the backend says.
struct ServerExtras : base::RefCounted {
  // How it is checked: not at all,
  bool unchecked = false;
  // or elsewhere, it and its agent,
  CheckPlace check;
  CheckPlace agent;
  // or as this one, "backend/server", whose health is its own then. Empty: none.
  std::string track;
  // Its limit at least, where limits grow with the load; 0: it does not grow.
  std::optional<uint32_t> min_connections;

  bool says_how_to_check() const { return unchecked || check.is_set() || agent.is_set() || !track.empty(); }
  bool same_as(const ServerExtras& other) const {
    return unchecked == other.unchecked && check == other.check && agent == other.agent && track == other.track &&
           min_connections == other.min_connections;
  }
};

}  // namespace fairlead::config
