// The command that starts a server, as a template.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::providers {

// Splits at spaces, then replaces {name} by values[name] in each word: a value with spaces stays one word. There is no
// quoting; a command that needs a shell is a script. Fails where a {name} is unknown or nothing is left.
absl::StatusOr<std::vector<std::string>> expand_command(absl::string_view command,
                                                        const std::map<std::string, std::string>& values);

// A program that is named without a slash: beside this program where it is there, else as it is, for the search in
// PATH.
std::string find_program(const std::string& name);

}  // namespace fairlead::providers
