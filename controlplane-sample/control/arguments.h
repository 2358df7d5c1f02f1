// What Abseil's flags do not do by themselves.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::control {

// Abseil's flags are C++ names: "--state-directory=a-b" becomes "--state_directory=a-b". Nothing behind "--" is
// touched.
std::vector<std::string> with_underscores(std::vector<std::string> arguments);

// Abseil keeps only the last of a repeated flag. This joins all values of `flag` with commas into one argument
// ("--flag=a,b") in place of the first; all others stay as they are. Nothing behind "--" is touched.
std::vector<std::string> join_repeated(const std::vector<std::string>& arguments, absl::string_view flag);

}  // namespace fairlead::control
