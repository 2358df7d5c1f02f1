// Tells whoever started a process that it serves, and where: a file of JSON.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace fairlead::base {

// `text` as a string of JSON, with its quotes. Bytes that are not ASCII are taken as Latin-1: what came may be no
// UTF-8.
std::string json_string(std::string_view text);

// The file appears with all of its content or not at all: a reader never sees a part.
absl::Status write_ready_file(const std::string& path, std::string_view content);

}  // namespace fairlead::base
