// Which servers are ejected for a while, by how they serve: the settings of a backend, as immutable values.
//
// Fields that are unset hold their default, which the accessor gives.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "config/duration.h"

namespace fairlead::config {

enum class Observed : uint8_t { kResponses, kConnections };
enum class OnError : uint8_t { kEject, kFastInterval, kFailCheck, kMarkDown };

struct SuccessRate {
  std::optional<uint32_t> min_requests{};
  std::optional<uint32_t> min_servers{};
  std::optional<uint32_t> deviation_percent{};

  uint32_t effective_min_requests() const { return min_requests.value_or(100); }
  uint32_t effective_min_servers() const { return min_servers.value_or(5); }
  uint32_t effective_deviation_percent() const { return deviation_percent.value_or(190); }
  bool operator==(const SuccessRate&) const = default;
};

struct FailurePercentage {
  std::optional<uint32_t> threshold{};
  std::optional<uint32_t> min_requests{};
  std::optional<uint32_t> min_servers{};

  uint32_t effective_threshold() const { return threshold.value_or(85); }
  uint32_t effective_min_requests() const { return min_requests.value_or(50); }
  uint32_t effective_min_servers() const { return min_servers.value_or(5); }
  bool operator==(const FailurePercentage&) const = default;
};

struct OutlierDetection {
  std::optional<Observed> observe{};
  std::optional<uint32_t> consecutive_errors{};
  std::optional<uint32_t> consecutive_gateway_errors{};
  std::optional<OnError> on_error{};
  std::optional<Duration> interval{};
  std::optional<SuccessRate> success_rate{};
  std::optional<FailurePercentage> failure_percentage{};
  std::optional<Duration> base_ejection_time{};
  std::optional<Duration> max_ejection_time{};
  std::optional<uint32_t> max_ejected_percent{};
  std::optional<bool> return_by_check{};

  Observed effective_observe() const { return observe.value_or(Observed::kResponses); }
  // 0: however many there are.
  uint32_t effective_consecutive_errors() const { return consecutive_errors.value_or(5); }
  uint32_t effective_consecutive_gateway_errors() const { return consecutive_gateway_errors.value_or(0); }
  OnError effective_on_error() const { return on_error.value_or(OnError::kEject); }
  Duration effective_interval() const { return interval.value_or(std::chrono::seconds(10)); }
  Duration effective_base_ejection_time() const { return base_ejection_time.value_or(std::chrono::seconds(30)); }
  Duration effective_max_ejection_time() const {
    return max_ejection_time.value_or(std::max<Duration>(effective_base_ejection_time(), std::chrono::seconds(300)));
  }
  uint32_t effective_max_ejected_percent() const { return max_ejected_percent.value_or(50); }
  bool effective_return_by_check() const { return return_by_check.value_or(true); }
  // Of `servers` that would take requests: how many may be ejected at a time.
  uint64_t ejected_max(uint64_t servers) const { return servers * effective_max_ejected_percent() / 100; }
  bool operator==(const OutlierDetection&) const = default;
};

// A server was ejected, or takes requests again: a decision of the reading half, which the writing half acts on.
struct EjectionChange {
  // Else it has returned.
  bool is_ejected = false;
  // Its how manieth ejection it is, of those that are not forgiven.
  uint32_t number = 0;
  // From now.
  Duration time{};
};

}  // namespace fairlead::config
