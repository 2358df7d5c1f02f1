// Scalars as text: plain or in quotes, names of enums, durations, timestamps. Beside YAML also for fairleadctl's
// command line.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace fairlead::api {

// The text itself where every YAML reader takes it for this very string, else in quotes.
std::string plain_or_quoted(absl::string_view text);

// "HTTP" for PROTOCOL_HTTP.
absl::string_view short_enum_name(const google::protobuf::EnumValueDescriptor& value);

// "2s", "1.5s", "250ms", "1h".
std::string format_duration(const google::protobuf::Duration& duration);
std::optional<google::protobuf::Duration> parse_duration(absl::string_view text);

std::string format_timestamp(const google::protobuf::Timestamp& time);
std::optional<google::protobuf::Timestamp> parse_timestamp(absl::string_view text);

// The grammar of JSON's numbers.
bool is_json_number(absl::string_view text);

}  // namespace fairlead::api
