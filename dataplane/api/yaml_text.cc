#include "api/yaml_text.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/quoted.h"

namespace fairlead::api {
namespace {

// Of google.protobuf.Duration: about 10,000 years.
constexpr std::int64_t kDurationSecondsMax = 315'576'000'000;

// Words that some YAML reader takes for something else than a string.
bool is_reserved_word(absl::string_view text) {
  for (absl::string_view word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (absl::EqualsIgnoreCase(text, word)) return true;
  }
  return false;
}

bool is_plain(absl::string_view text) {
  if (text.empty() || is_reserved_word(text)) return false;
  if (!absl::ascii_isalpha(static_cast<unsigned char>(text[0])) && text[0] != '/' && text[0] != '_') return false;
  if (text.back() == ':') return false;
  for (char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && !absl::StrContains("/_.:@+-", c)) return false;
  }
  return true;
}

std::size_t digits(absl::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[count]))) ++count;
  return count;
}

// "1.5", without zeros at the end.
std::string decimal(std::int64_t whole, std::int64_t billionths) {
  std::string text = absl::StrFormat("%d.%09d", whole, billionths);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

}  // namespace

std::string plain_or_quoted(absl::string_view text) {
  return is_plain(text) ? std::string(text) : base::quoted({text.data(), text.size()});
}

absl::string_view short_enum_name(const google::protobuf::EnumValueDescriptor& value) {
  const std::string& type = value.type()->name();
  std::string prefix;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const bool upper = absl::ascii_isupper(static_cast<unsigned char>(type[i]));
    if (upper && i > 0) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(type[i]));
  }
  prefix += '_';
  absl::string_view name = value.name();
  if (name.size() > prefix.size()) absl::ConsumePrefix(&name, prefix);
  return name;
}

std::string format_duration(const google::protobuf::Duration& duration) {
  const std::string sign = duration.seconds() < 0 || duration.nanos() < 0 ? "-" : "";
  const std::int64_t seconds = duration.seconds() < 0 ? -duration.seconds() : duration.seconds();
  const std::int64_t nanos = duration.nanos() < 0 ? -duration.nanos() : duration.nanos();
  if (nanos != 0 && seconds != 0) return absl::StrCat(sign, decimal(seconds, nanos), "s");
  if (nanos != 0 && nanos % 1'000'000 == 0) return absl::StrCat(sign, nanos / 1'000'000, "ms");
  if (nanos != 0 && nanos % 1'000 == 0) return absl::StrCat(sign, nanos / 1'000, "us");
  if (nanos != 0) return absl::StrCat(sign, nanos, "ns");
  if (seconds != 0 && seconds % 3600 == 0) return absl::StrCat(sign, seconds / 3600, "h");
  if (seconds != 0 && seconds % 60 == 0) return absl::StrCat(sign, seconds / 60, "m");
  return absl::StrCat(sign, seconds, "s");
}

std::optional<google::protobuf::Duration> parse_duration(absl::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) return std::nullopt;
  if (absl::AbsDuration(duration) > absl::Seconds(kDurationSecondsMax)) return std::nullopt;
  google::protobuf::Duration result;
  absl::Duration rest;
  result.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  result.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
  return result;
}

std::string format_timestamp(const google::protobuf::Timestamp& time) {
  const absl::Time value = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%E4Y-%m-%d%ET%H:%M:%E*SZ", value, absl::UTCTimeZone());
}

std::optional<google::protobuf::Timestamp> parse_timestamp(absl::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return std::nullopt;
  const absl::Time first = absl::FromUnixSeconds(-62'135'596'800);  // 0001-01-01T00:00:00Z
  const absl::Time end = absl::FromUnixSeconds(253'402'300'800);    // 10000-01-01T00:00:00Z
  if (time < first || time >= end) return std::nullopt;
  google::protobuf::Timestamp result;
  result.set_seconds(absl::ToUnixSeconds(time));
  result.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(result.seconds()))));
  return result;
}

bool is_json_number(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  const std::size_t whole = digits(text);
  if (whole == 0 || (whole > 1 && text[0] == '0')) return false;
  text.remove_prefix(whole);
  if (absl::ConsumePrefix(&text, ".")) {
    const std::size_t fraction = digits(text);
    if (fraction == 0) return false;
    text.remove_prefix(fraction);
  }
  if (absl::ConsumePrefix(&text, "e") || absl::ConsumePrefix(&text, "E")) {
    if (!absl::ConsumePrefix(&text, "+")) absl::ConsumePrefix(&text, "-");
    const std::size_t exponent = digits(text);
    if (exponent == 0) return false;
    text.remove_prefix(exponent);
  }
  return text.empty();
}

}  // namespace fairlead::api
