// When a request that failed on one server is tried on another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "config/duration.h"

namespace fairlead::config {

// What went wrong, as far as a policy tells it apart.
enum class RetryCondition : uint8_t { kConnectFailure, kRefused, kReset, kEmptyResponse, kTimeout, kBadResponse };

inline constexpr Duration kBackOffMax = std::chrono::seconds(10);

struct BackOff {
  std::optional<Duration> base;
  std::optional<Duration> max;

  // Zero: none.
  Duration effective_base() const { return base.value_or(Duration::zero()); }
  Duration effective_max() const { return max.value_or(std::min<Duration>(10 * effective_base(), kBackOffMax)); }
  bool operator==(const BackOff&) const = default;
};

// Fields that are unset or empty hold their default, which the accessor gives.
struct RetryPolicy {
  std::optional<uint32_t> attempts;
  std::vector<RetryCondition> conditions;
  // Few.
  std::vector<uint16_t> statuses;
  bool non_idempotent = false;
  std::optional<Duration> per_try_timeout;
  BackOff back_off;
  std::optional<uint32_t> budget_percent;
  // Unset: requests are not hedged.
  std::optional<Duration> hedge_after;

  uint32_t effective_attempts() const { return attempts.value_or(2); }
  bool retries_on(RetryCondition condition) const {
    if (conditions.empty()) return condition <= RetryCondition::kRefused;
    auto is_chosen = [this](RetryCondition one) { return std::ranges::find(conditions, one) != conditions.end(); };
    return is_chosen(condition) ||
           (condition == RetryCondition::kRefused && is_chosen(RetryCondition::kConnectFailure));
  }
  bool retries_on(uint16_t status) const { return std::ranges::find(statuses, status) != statuses.end(); }
  bool operator==(const RetryPolicy&) const = default;
};

}  // namespace fairlead::config
