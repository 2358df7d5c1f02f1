#include "control/arguments.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fairlead::control {
namespace {

// "=value" after the flag's name, or empty for a bare flag; nothing for any other argument.
std::optional<absl::string_view> rest_after(absl::string_view argument, absl::string_view flag) {
  const bool is_flag = absl::ConsumePrefix(&argument, "--") || absl::ConsumePrefix(&argument, "-");
  if (!is_flag || !absl::ConsumePrefix(&argument, flag)) return std::nullopt;
  if (!argument.empty() && argument.front() != '=') return std::nullopt;
  return argument;
}

}  // namespace

std::vector<std::string> with_underscores(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (!absl::StartsWith(argument, "--")) continue;
    const auto name_end = std::find(argument.begin(), argument.end(), '=');
    std::replace(argument.begin() + 2, name_end, '-', '_');
  }
  return arguments;
}

std::vector<std::string> join_repeated(const std::vector<std::string>& arguments, absl::string_view flag) {
  std::vector<std::string> joined;
  std::optional<std::size_t> place;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") {
      joined.insert(joined.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    const std::optional<absl::string_view> rest = i == 0 ? std::nullopt : rest_after(arguments[i], flag);
    const bool bare = rest.has_value() && rest->empty();
    // A bare flag at the end lacks its value: Abseil says so.
    if (!rest.has_value() || (bare && i + 1 == arguments.size())) {
      joined.push_back(arguments[i]);
      continue;
    }
    const std::string value = bare ? arguments[++i] : std::string(rest->substr(1));
    if (place.has_value()) {
      absl::StrAppend(&joined[*place], ",", value);
    } else {
      place = joined.size();
      joined.push_back(absl::StrCat("--", flag, "=", value));
    }
  }
  return joined;
}

}  // namespace fairlead::control
