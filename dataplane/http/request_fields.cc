#include "http/request_fields.h"

namespace fairlead::http {
namespace {

// "name=value" or "name", where the name is this.
std::optional<std::string_view> value_of(std::string_view pair, std::string_view name) {
  if (!pair.starts_with(name)) return std::nullopt;
  pair.remove_prefix(name.size());
  if (pair.empty()) return pair;
  if (pair.front() != '=') return std::nullopt;
  return pair.substr(1);
}

// What is before the next separator; `text` begins behind it then.
std::string_view take_until(std::string_view& text, char separator) {
  size_t end = text.find(separator);
  std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

std::string_view without_spaces(std::string_view text) {
  constexpr std::string_view kSpaces = " \t";
  size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

}  // namespace

std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name) {
  if (query.starts_with('?')) query.remove_prefix(1);
  while (!query.empty()) {
    if (auto value = value_of(take_until(query, '&'), name)) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> cookie(const HeaderList& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (!Word("cookie").matches(header.name)) continue;
    std::string_view pairs = header.value;
    while (!pairs.empty()) {
      std::string_view pair = without_spaces(take_until(pairs, ';'));
      // A cookie without "=" has no name.
      if (pair.size() == name.size()) continue;
      if (auto value = value_of(pair, name)) return value;
    }
  }
  return std::nullopt;
}

}  // namespace fairlead::http
