// Reads fields of one message and remembers the first that is wrong, so that a decoder is a list of fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/failure.h"
#include "config/model.h"
#include "config/validate.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/map.h"

namespace fairlead::api {

struct DurationRange {
  config::Duration min;
  config::Duration max;
};

class FieldChecker {
 public:
  bool ok() const { return !failure_; }
  // Requires !ok(). `resource` is whose fields these were, as in Failure: most often nobody asks for that text.
  Failure take_failure(std::string resource) {
    failure_->resource = std::move(resource);
    return std::move(*failure_);
  }

  void fail(std::string_view field, std::string problem, v1::Reason reason = v1::REASON_INVALID);
  void check(std::string_view field, const config::Problem& problem);

  std::optional<uint32_t> number(std::string_view field, bool set, uint32_t value, config::Range allowed);
  std::optional<config::Duration> duration(std::string_view field, bool set, const google::protobuf::Duration& value,
                                           DurationRange allowed);
  std::optional<config::Endpoint> endpoint(std::string_view field, const std::string& text);
  // Or a name.
  std::optional<config::Endpoint> server_address(std::string_view field, const std::string& text);
  config::Labels labels(std::string_view field, const google::protobuf::Map<std::string, std::string>& labels);
  // A value that no member of the enum has, or UNSPECIFIED where one has to be said.
  void unknown_enum(std::string_view field, int value, std::string_view allowed);

 private:
  std::optional<Failure> failure_;
};

// Reads a number of nanoseconds; a message outside the schema's range (nanos above 999,999,999, mixed signs, more than
// 10,000 years) is an error's text.
std::expected<config::Duration, std::string> to_duration(const google::protobuf::Duration& value);

}  // namespace fairlead::api
