// Tells whoever started the process that it serves, and where.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace fairlead::program {

// `text` as a string of JSON, with its quotes.
std::string json_string(std::string_view text);

// The file appears with all of its content or not at all: a reader never sees a part.
absl::Status write_ready_file(const std::string& path, std::string_view content);

}  // namespace fairlead::program
