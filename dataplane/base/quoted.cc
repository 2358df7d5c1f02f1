#include "base/quoted.h"

#include "absl/strings/str_format.h"

namespace fairlead::base {
namespace {

// A decoded character and how many bytes it took; length 0 where the bytes are not valid UTF-8.
struct Character {
  char32_t code = 0;
  size_t length = 0;
};

// Well-formed sequences as of the Unicode standard, table 3-7: no overlong forms, no surrogates, nothing above
// U+10FFFF.
Character next_character(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  char32_t code = lead & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3f);
  }
  bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (overlong || surrogate || code > 0x10ffff) return {};
  return {code, length};
}

// Control characters, line separators, what turns the direction of text around, and the byte order mark.
bool needs_escape(char32_t code) {
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  if (code >= 0x200b && code <= 0x200f) return true;
  return (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void append_quoted(std::string& out, std::string_view character, char32_t code) {
  if (code == '"' || code == '\\') {
    out.append("\\").append(character);
  } else if (code == '\n') {
    out += "\\n";
  } else if (code == '\t') {
    out += "\\t";
  } else if (needs_escape(code)) {
    absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(code));
  } else {
    out.append(character);
  }
}

}  // namespace

size_t first_invalid_utf8(std::string_view text) {
  size_t offset = 0;
  while (offset < text.size()) {
    Character character = next_character(text.substr(offset));
    if (character.length == 0) return offset;
    offset += character.length;
  }
  return std::string_view::npos;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    Character character = next_character(text);
    if (character.length == 0) {
      out += "\\ufffd";
      text.remove_prefix(1);
      continue;
    }
    append_quoted(out, text.substr(0, character.length), character.code);
    text.remove_prefix(character.length);
  }
  return out + "\"";
}

std::string quoted_excerpt(std::string_view text) {
  constexpr size_t kBytesMax = 64;
  if (text.size() <= kBytesMax) return quoted(text);
  size_t end = kBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  std::string excerpt = quoted(text.substr(0, end));
  excerpt.insert(excerpt.size() - 1, "…");
  return excerpt;
}

}  // namespace fairlead::base
