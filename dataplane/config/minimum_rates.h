// How slow a client may be.
#pragma once

#include <cstdint>
#include <optional>

#include "config/duration.h"

namespace fairlead::config {

inline constexpr uint32_t kMinimumRateMax = 1'000'000'000;

// In bytes for each second. Fields that are unset hold their default, which the accessor gives; 0 is no minimum.
struct MinimumRates {
  std::optional<uint32_t> head = {};
  std::optional<uint32_t> body = {};
  std::optional<uint32_t> send = {};
  std::optional<Duration> grace = {};

  uint32_t effective_head() const { return head.value_or(0); }
  uint32_t effective_body() const { return body.value_or(0); }
  uint32_t effective_send() const { return send.value_or(0); }
  Duration effective_grace() const { return grace.value_or(std::chrono::seconds(10)); }
  bool operator==(const MinimumRates&) const = default;
};

}  // namespace fairlead::config
