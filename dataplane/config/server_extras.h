// Settings of a server that most servers do not have: a record of its own, which costs those nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ref.h"
#include "config/endpoint.h"

namespace fairlead::config {

// Fields that are unset hold what the backend says.
struct ServerExtras : base::RefCounted {
  // How it is checked: not at all,
  bool unchecked = false;
  // or elsewhere,
  std::optional<uint16_t> check_port;
  std::optional<Endpoint> check_address;
  // or as this one, "backend/server", whose health is its own then. Empty: none.
  std::string track;
  // Its limit at least, where limits grow with the load; 0: it does not grow.
  std::optional<uint32_t> min_connections;

  bool says_how_to_check() const { return unchecked || check_port || check_address || !track.empty(); }
  bool same_as(const ServerExtras& other) const {
    return unchecked == other.unchecked && check_port == other.check_port && check_address == other.check_address &&
           track == other.track && min_connections == other.min_connections;
  }
};

}  // namespace fairlead::config
