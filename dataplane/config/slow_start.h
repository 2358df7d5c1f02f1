// How a server that has just begun to take requests comes to its full share: the settings, as immutable values.
//
// Fields that are unset hold their default, which the accessor gives.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "config/duration.h"

namespace fairlead::config {

struct SlowStart {
  // Unset: it has its full share at once.
  std::optional<Duration> window;
  std::optional<uint32_t> exponent;
  std::optional<uint32_t> min_percent;

  uint32_t effective_exponent() const { return exponent.value_or(1); }
  uint32_t effective_min_percent() const { return min_percent.value_or(10); }
  bool operator==(const SlowStart&) const = default;

  // The part of its full share that a server has after so long, above 0 and at most 1.
  double part_after(Duration elapsed) const {
    if (!window || elapsed >= *window) return 1;
    double done = std::max(static_cast<double>(elapsed.count()), 0.0) / static_cast<double>(window->count());
    double part = done;
    for (uint32_t i = 1; i < effective_exponent(); ++i) part *= done;
    return std::max(part, effective_min_percent() / 100.0);
  }
};

}  // namespace fairlead::config
