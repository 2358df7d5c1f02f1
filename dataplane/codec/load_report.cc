#include "codec/load_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace fairlead::codec {
namespace {

struct Metrics {
  std::optional<double> application;
  std::optional<double> cpu;
  std::optional<double> in_flight;
};

bool is_space(char c) { return c == ' ' || c == '\t'; }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
}

bool take(std::string_view& text, char c) {
  skip_spaces(text);
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// A finite number that is not negative.
std::optional<double> take_number(std::string_view& text) {
  skip_spaces(text);
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

void note(std::string_view group, std::string_view name, double value, Metrics& metrics) {
  if (group.empty() && name == "application_utilization") metrics.application = value;
  if (group.empty() && name == "cpu_utilization") metrics.cpu = value;
  if (group == "named_metrics" && name == "requests_in_flight") metrics.in_flight = value;
}

// name=number, separated by commas; a name may be in a group: group.name.
bool parse_text(std::string_view text, Metrics& metrics) {
  do {
    skip_spaces(text);
    size_t end = text.find('=');
    if (end == 0 || end == std::string_view::npos) return false;
    std::string_view name = text.substr(0, end);
    text.remove_prefix(end + 1);
    std::optional<double> value = take_number(text);
    if (!value) return false;
    size_t dot = name.find('.');
    bool grouped = dot != std::string_view::npos;
    note(grouped ? name.substr(0, dot) : "", grouped ? name.substr(dot + 1) : name, *value, metrics);
  } while (take(text, ','));
  skip_spaces(text);
  return text.empty();
}

// Without escapes: no name that matters has any.
std::optional<std::string_view> take_string(std::string_view& text) {
  if (!take(text, '"')) return std::nullopt;
  size_t end = text.find('"');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view string = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (string.contains('\\')) return std::nullopt;
  return string;
}

// An object of numbers, or, where it is `outermost`, of objects of numbers.
bool take_object(std::string_view& text, bool outermost, std::string_view group, Metrics& metrics) {
  if (!take(text, '{')) return false;
  if (take(text, '}')) return true;
  do {
    std::optional<std::string_view> name = take_string(text);
    if (!name || !take(text, ':')) return false;
    skip_spaces(text);
    if (outermost && text.starts_with('{')) {
      if (!take_object(text, false, *name, metrics)) return false;
      continue;
    }
    std::optional<double> value = take_number(text);
    if (!value) return false;
    if (outermost || !group.empty()) note(group, *name, *value, metrics);
  } while (take(text, ','));
  return take(text, '}');
}

bool parse_json(std::string_view text, Metrics& metrics) {
  if (!take_object(text, true, "", metrics)) return false;
  skip_spaces(text);
  return text.empty();
}

}  // namespace

std::optional<LoadReport> parse_load_report(std::string_view value) {
  Metrics metrics;
  skip_spaces(value);
  bool is_right = false;
  if (value.starts_with("TEXT ")) is_right = parse_text(value.substr(5), metrics);
  if (value.starts_with("JSON ")) is_right = parse_json(value.substr(5), metrics);
  if (!is_right) return std::nullopt;
  LoadReport report;
  report.utilization = metrics.application ? metrics.application : metrics.cpu;
  if (metrics.in_flight) report.in_flight = static_cast<uint32_t>(std::min(*metrics.in_flight, 1e9));
  if (!report.utilization && !report.in_flight) return std::nullopt;
  return report;
}

}  // namespace fairlead::codec
