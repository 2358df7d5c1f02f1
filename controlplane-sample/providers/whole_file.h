// Files that others read while they are rewritten, or that must outlive a crash.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace fairlead::providers {

// Whole or not at all, whenever the program ends: written beside `path` and renamed. The error names the path and why.
absl::Status write_whole_file(const std::string& path, const std::string& text);

}  // namespace fairlead::providers
