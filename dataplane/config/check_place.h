// Where a check or an agent's line connects, other than to the server itself.
#pragma once

#include <cstdint>
#include <optional>

#include "config/endpoint.h"

namespace fairlead::config {

// One of the two at most.
struct CheckPlace {
  // On the server's address.
  std::optional<uint16_t> port{};
  std::optional<Endpoint> address{};

  bool is_set() const { return port || address; }
  friend bool operator==(const CheckPlace&, const CheckPlace&) = default;
};

}  // namespace fairlead::config
