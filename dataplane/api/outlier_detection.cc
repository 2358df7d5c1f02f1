#include "api/outlier_detection.h"

#include "api/encode.h"
#include "config/text.h"

namespace fairlead::api {
namespace {

using config::concat;
using config::Observed;
using config::OnError;

constexpr config::Range kErrors{0, 1000};
constexpr config::Range kRequests{1, 1'000'000};
constexpr config::Range kServers{1, 1'000'000};
constexpr config::Range kPercent{0, 100};
constexpr config::Range kThreshold{1, 100};
constexpr config::Range kDeviation{1, 1000};
constexpr DurationRange kInterval{std::chrono::milliseconds(10), std::chrono::hours(1)};
constexpr DurationRange kBaseTime{std::chrono::milliseconds(10), config::kTimeoutMax};

std::optional<Observed> observed(FieldChecker& checker, v1::Observed value) {
  switch (value) {
    case v1::OBSERVED_UNSPECIFIED:
      return std::nullopt;
    case v1::OBSERVED_RESPONSES:
      return Observed::kResponses;
    case v1::OBSERVED_CONNECTIONS:
      return Observed::kConnections;
    default:
      checker.unknown_enum("outlier_detection.observe", value, "RESPONSES, CONNECTIONS");
      return std::nullopt;
  }
}

std::optional<OnError> on_error(FieldChecker& checker, v1::OnError value) {
  switch (value) {
    case v1::ON_ERROR_UNSPECIFIED:
      return std::nullopt;
    case v1::ON_ERROR_EJECT:
      return OnError::kEject;
    case v1::ON_ERROR_FAST_INTERVAL:
      return OnError::kFastInterval;
    case v1::ON_ERROR_FAIL_CHECK:
      return OnError::kFailCheck;
    case v1::ON_ERROR_MARK_DOWN:
      return OnError::kMarkDown;
    default:
      checker.unknown_enum("outlier_detection.on_error", value, "EJECT, FAST_INTERVAL, FAIL_CHECK, MARK_DOWN");
      return std::nullopt;
  }
}

v1::OnError encode(OnError value) {
  switch (value) {
    case OnError::kEject:
      return v1::ON_ERROR_EJECT;
    case OnError::kFastInterval:
      return v1::ON_ERROR_FAST_INTERVAL;
    case OnError::kFailCheck:
      return v1::ON_ERROR_FAIL_CHECK;
    case OnError::kMarkDown:
      return v1::ON_ERROR_MARK_DOWN;
  }
  return v1::ON_ERROR_UNSPECIFIED;
}

// Numbers of one of the messages within.
struct Numbers {
  FieldChecker& checker;
  std::string_view path;
  std::optional<uint32_t> operator()(std::string_view field, bool set, uint32_t value, config::Range allowed) const {
    return checker.number(concat(path, ".", field), set, value, allowed);
  }
};

config::SuccessRate decode(FieldChecker& checker, const v1::SuccessRateOutliers& message) {
  Numbers number{checker, "outlier_detection.success_rate"};
  return {.min_requests = number("min_requests", message.has_min_requests(), message.min_requests(), kRequests),
          .min_servers = number("min_servers", message.has_min_servers(), message.min_servers(), kServers),
          .deviation_percent =
              number("deviation_percent", message.has_deviation_percent(), message.deviation_percent(), kDeviation)};
}

config::FailurePercentage decode(FieldChecker& checker, const v1::FailurePercentageOutliers& message) {
  Numbers number{checker, "outlier_detection.failure_percentage"};
  return {.threshold = number("threshold", message.has_threshold(), message.threshold(), kThreshold),
          .min_requests = number("min_requests", message.has_min_requests(), message.min_requests(), kRequests),
          .min_servers = number("min_servers", message.has_min_servers(), message.min_servers(), kServers)};
}

}  // namespace

std::optional<config::OutlierDetection> decode_outlier_detection(FieldChecker& checker, const v1::Backend& backend) {
  if (!backend.has_outlier_detection()) return std::nullopt;
  const v1::OutlierDetection& message = backend.outlier_detection();
  Numbers number{checker, "outlier_detection"};
  config::OutlierDetection result;
  result.observe = observed(checker, message.observe());
  result.consecutive_errors =
      number("consecutive_errors", message.has_consecutive_errors(), message.consecutive_errors(), kErrors);
  result.consecutive_gateway_errors = number("consecutive_gateway_errors", message.has_consecutive_gateway_errors(),
                                             message.consecutive_gateway_errors(), kErrors);
  result.on_error = on_error(checker, message.on_error());
  bool has_check = backend.health_check().check_case() != v1::HealthCheck::CHECK_NOT_SET;
  if (result.effective_on_error() != OnError::kEject && !has_check) {
    checker.fail("outlier_detection.on_error", "is about checks, and the backend has none; set health_check");
  }
  result.interval =
      checker.duration("outlier_detection.interval", message.has_interval(), message.interval(), kInterval);
  config::SuccessRate rate = decode(checker, message.success_rate());
  if (rate != config::SuccessRate()) result.success_rate = rate;
  config::FailurePercentage failures = decode(checker, message.failure_percentage());
  if (failures != config::FailurePercentage()) result.failure_percentage = failures;
  result.base_ejection_time = checker.duration("outlier_detection.base_ejection_time", message.has_base_ejection_time(),
                                               message.base_ejection_time(), kBaseTime);
  result.max_ejection_time =
      checker.duration("outlier_detection.max_ejection_time", message.has_max_ejection_time(),
                       message.max_ejection_time(), {result.effective_base_ejection_time(), config::kTimeoutMax});
  result.max_ejected_percent =
      number("max_ejected_percent", message.has_max_ejected_percent(), message.max_ejected_percent(), kPercent);
  if (message.has_return_by_check()) result.return_by_check = message.return_by_check();
  if (result == config::OutlierDetection()) return std::nullopt;
  return result;
}

void encode(const config::OutlierDetection& settings, v1::OutlierDetection& out) {
  if (settings.observe) {
    out.set_observe(*settings.observe == Observed::kResponses ? v1::OBSERVED_RESPONSES : v1::OBSERVED_CONNECTIONS);
  }
  if (settings.consecutive_errors) out.set_consecutive_errors(*settings.consecutive_errors);
  if (settings.consecutive_gateway_errors) out.set_consecutive_gateway_errors(*settings.consecutive_gateway_errors);
  if (settings.on_error) out.set_on_error(encode(*settings.on_error));
  if (settings.interval) encode(*settings.interval, *out.mutable_interval());
  if (const auto& rate = settings.success_rate) {
    v1::SuccessRateOutliers& message = *out.mutable_success_rate();
    if (rate->min_requests) message.set_min_requests(*rate->min_requests);
    if (rate->min_servers) message.set_min_servers(*rate->min_servers);
    if (rate->deviation_percent) message.set_deviation_percent(*rate->deviation_percent);
  }
  if (const auto& failures = settings.failure_percentage) {
    v1::FailurePercentageOutliers& message = *out.mutable_failure_percentage();
    if (failures->threshold) message.set_threshold(*failures->threshold);
    if (failures->min_requests) message.set_min_requests(*failures->min_requests);
    if (failures->min_servers) message.set_min_servers(*failures->min_servers);
  }
  if (settings.base_ejection_time) encode(*settings.base_ejection_time, *out.mutable_base_ejection_time());
  if (settings.max_ejection_time) encode(*settings.max_ejection_time, *out.mutable_max_ejection_time());
  if (settings.max_ejected_percent) out.set_max_ejected_percent(*settings.max_ejected_percent);
  if (settings.return_by_check) out.set_return_by_check(*settings.return_by_check);
}

}  // namespace fairlead::api
