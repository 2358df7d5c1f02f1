// How requests wait where all servers of their backend are full.
#pragma once

#include <cstdint>
#include <optional>

#include "config/duration.h"

namespace fairlead::config {

// Classes of those that wait: 0 first.
inline constexpr uint8_t kPriorities = 8;
inline constexpr uint8_t kPriorityDefault = 4;

// Fields that are unset hold their default, which the accessor gives.
struct QueuePolicy {
  std::optional<uint32_t> max_waiting;
  // Of these, for a place on one server where persistence leads.
  std::optional<uint32_t> max_waiting_per_server;
  // Unset: as long as a connection may take.
  std::optional<Duration> timeout;

  // 0: nobody waits.
  uint32_t effective_max_waiting() const { return max_waiting.value_or(1024); }
  // 0: who finds that server full goes to another.
  uint32_t effective_max_waiting_per_server() const { return max_waiting_per_server.value_or(0); }
  bool operator==(const QueuePolicy&) const = default;
};

}  // namespace fairlead::config
