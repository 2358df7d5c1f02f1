// What a backend may be busy with at a time, over all workers; more is refused at once.
#pragma once

#include <cstdint>
#include <optional>

namespace fairlead::config {

// 0: no limit.
struct CircuitLimits {
  std::optional<uint32_t> max_requests;
  std::optional<uint32_t> max_retries;
  // To servers: idle ones as well.
  std::optional<uint32_t> max_connections = {};

  uint32_t effective_max_requests() const { return max_requests.value_or(0); }
  uint32_t effective_max_retries() const { return max_retries.value_or(0); }
  uint32_t effective_max_connections() const { return max_connections.value_or(0); }
  bool operator==(const CircuitLimits&) const = default;
};

}  // namespace fairlead::config
