// JSON for one line.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::events {

// With its quotation marks. Bytes above 127 stay as they are: names, addresses and reasons are UTF-8.
std::string json_text(absl::string_view text);

}  // namespace fairlead::events
