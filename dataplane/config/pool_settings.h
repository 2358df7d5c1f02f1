// What becomes of connections to servers after they have carried a request.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "config/duration.h"
#include "config/endpoint.h"

namespace fairlead::config {

enum class PoolReuse : uint8_t { kNever, kSafe, kAlways };

// Fields that are unset hold their default, which the accessor gives.
struct PoolSettings {
  std::optional<Duration> idle_timeout = {};
  std::optional<uint32_t> max_idle = {};
  std::optional<PoolReuse> reuse = {};
  std::optional<uint32_t> max_requests = {};
  // With port 0. Unset: the system chooses.
  std::optional<Endpoint> source_address = {};
  std::optional<Duration> purge_delay = {};
  std::optional<uint32_t> min_idle = {};
  std::optional<uint32_t> warm = {};
  // From the client's own address.
  bool transparent = false;

  Duration effective_idle_timeout() const { return idle_timeout.value_or(std::chrono::seconds(30)); }
  uint32_t effective_max_idle() const { return max_idle.value_or(256); }
  PoolReuse effective_reuse() const { return reuse.value_or(PoolReuse::kAlways); }
  // 0: no limit.
  uint32_t effective_max_requests() const { return max_requests.value_or(0); }
  // Zero: what is idle is not purged.
  Duration effective_purge_delay() const { return purge_delay.value_or(Duration::zero()); }
  uint32_t effective_min_idle() const { return min_idle.value_or(0); }
  // To each server that begins, over all workers.
  uint32_t effective_warm() const { return effective_reuse() == PoolReuse::kNever ? 0 : warm.value_or(0); }
  bool operator==(const PoolSettings&) const = default;
};

}  // namespace fairlead::config
