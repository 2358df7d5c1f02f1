#include "events/json.h"

#include "absl/strings/str_format.h"

namespace fairlead::events {

std::string json_text(absl::string_view text) {
  std::string quoted = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      quoted += '\\';
      quoted += character;
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppendFormat(&quoted, "\\u%04x", byte);
    } else {
      quoted += character;
    }
  }
  return quoted + '"';
}

}  // namespace fairlead::events
