#include "observe/exposition.h"

#include <array>
#include <charconv>

namespace fairlead::observe {
namespace {

std::string_view name_of(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

void append_number(std::string& text, auto value) {
  std::array<char, 32> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end).push_back('\n');
}

}  // namespace

void Exposition::family(std::string_view name, MetricType type, std::string_view help) {
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name).append(" ").append(name_of(type)).append("\n");
}

void Exposition::sample(std::string_view name, std::initializer_list<Label> labels, uint64_t value) {
  begin_sample(name, labels);
  append_number(text_, value);
}

void Exposition::sample(std::string_view name, std::initializer_list<Label> labels, double value) {
  begin_sample(name, labels);
  append_number(text_, value);
}

void Exposition::begin_sample(std::string_view name, std::initializer_list<Label> labels) {
  text_.append(name);
  char separator = '{';
  for (const Label& label : labels) {
    text_.push_back(separator);
    text_.append(label.name).append("=\"");
    escaped(label.value);
    text_.push_back('"');
    separator = ',';
  }
  text_.append(labels.size() > 0 ? "} " : " ");
}

void Exposition::escaped(std::string_view value) {
  for (char c : value) {
    if (c == '\n') {
      text_.append("\\n");
      continue;
    }
    if (c == '\\' || c == '"') text_.push_back('\\');
    text_.push_back(c);
  }
}

}  // namespace fairlead::observe
