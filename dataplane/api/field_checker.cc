#include "api/field_checker.h"

#include <algorithm>

#include "config/text.h"
#include "google/protobuf/util/time_util.h"

namespace fairlead::api {

using config::concat;

void FieldChecker::fail(std::string_view field, std::string problem, v1::Reason reason) {
  if (failure_) return;
  failure_ = Failure{reason, {}, std::string(field), std::move(problem)};
}

void FieldChecker::check(std::string_view field, const config::Problem& problem) {
  if (problem) fail(field, *problem);
}

std::optional<uint32_t> FieldChecker::number(std::string_view field, bool set, uint32_t value, config::Range allowed) {
  if (!set) return std::nullopt;
  check(field, config::check_range(value, allowed));
  return value;
}

std::optional<config::Duration> FieldChecker::duration(std::string_view field, bool set,
                                                       const google::protobuf::Duration& value, DurationRange allowed) {
  if (!set) return std::nullopt;
  std::expected<config::Duration, std::string> read = to_duration(value);
  if (!read) {
    fail(field, read.error());
    return std::nullopt;
  }
  check(field, config::check_duration(*read, allowed.min, allowed.max));
  return *read;
}

std::optional<config::Endpoint> FieldChecker::endpoint(std::string_view field, const std::string& text) {
  absl::StatusOr<config::Endpoint> parsed = config::Endpoint::parse(text);
  if (parsed.ok()) return *std::move(parsed);
  fail(field, std::string(parsed.status().message()));
  return std::nullopt;
}

std::optional<config::Endpoint> FieldChecker::server_address(std::string_view field, const std::string& text) {
  absl::StatusOr<config::Endpoint> parsed = config::Endpoint::parse_server(text);
  if (parsed.ok()) return *std::move(parsed);
  fail(field, std::string(parsed.status().message()));
  return std::nullopt;
}

config::Labels FieldChecker::labels(std::string_view field,
                                    const google::protobuf::Map<std::string, std::string>& labels) {
  if (labels.size() > config::kLabelsMax) {
    fail(field, concat("has ", labels.size(), " entries, at most ", config::kLabelsMax, " are allowed"));
    return {};
  }
  config::Labels sorted(labels.begin(), labels.end());
  std::ranges::sort(sorted);
  for (const auto& [key, value] : sorted) check(field, config::check_label(key, value));
  return sorted;
}

void FieldChecker::unknown_enum(std::string_view field, int value, std::string_view allowed) {
  fail(field, value == 0 ? concat("is not set; it is one of ", allowed)
                         : concat(value, " is not known; it is one of ", allowed));
}

std::expected<config::Duration, std::string> to_duration(const google::protobuf::Duration& value) {
  using google::protobuf::util::TimeUtil;
  constexpr int64_t kNanosMax = 999'999'999;
  bool signs_differ = (value.seconds() < 0 && value.nanos() > 0) || (value.seconds() > 0 && value.nanos() < 0);
  if (value.nanos() < -kNanosMax || value.nanos() > kNanosMax || signs_differ ||
      value.seconds() < TimeUtil::kDurationMinSeconds || value.seconds() > TimeUtil::kDurationMaxSeconds) {
    return std::unexpected(concat("seconds: ", value.seconds(), ", nanos: ", value.nanos(), " is not a duration"));
  }
  // Nanoseconds in 64 bits end after 292 years; what is longer is out of every range anyway.
  constexpr int64_t kSecondsMax = INT64_MAX / 1'000'000'000 - 1;
  int64_t seconds = std::clamp(value.seconds(), -kSecondsMax, kSecondsMax);
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(value.nanos());
}

}  // namespace fairlead::api
