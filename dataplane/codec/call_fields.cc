#include "codec/call_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace fairlead::codec {
namespace {

// Appendix A: `:status` with these values.
constexpr uint32_t kFirstStatus = 8;
constexpr std::array<uint32_t, 7> kStatuses = {200, 204, 206, 304, 400, 404, 500};
constexpr uint32_t kIntegerMax = 1 << 20;

// Section 5.1.
std::optional<uint32_t> take_integer(std::string_view& left, unsigned prefix_bits) {
  if (left.empty()) return std::nullopt;
  const uint32_t prefix_max = (1u << prefix_bits) - 1;
  uint32_t value = static_cast<uint8_t>(left.front()) & prefix_max;
  left.remove_prefix(1);
  if (value < prefix_max) return value;
  for (unsigned shift = 0; !left.empty() && value <= kIntegerMax && shift <= 21; shift += 7) {
    const auto byte = static_cast<uint8_t>(left.front());
    left.remove_prefix(1);
    value += (byte & 0x7fu) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// Appendix B, for the letters of ":status", "grpc-status" and numbers. The shortest code that there is has 5 bits.
struct Letter {
  uint8_t code;
  uint8_t bits;
  char letter;
};
constexpr std::array<Letter, 20> kLetters = {{
    {0x00, 5, '0'}, {0x01, 5, '1'}, {0x02, 5, '2'}, {0x19, 6, '3'}, {0x1a, 6, '4'}, {0x1b, 6, '5'}, {0x1c, 6, '6'},
    {0x1d, 6, '7'}, {0x1e, 6, '8'}, {0x1f, 6, '9'}, {0x16, 6, '-'}, {0x5c, 7, ':'}, {0x03, 5, 'a'}, {0x04, 5, 'c'},
    {0x26, 6, 'g'}, {0x2b, 6, 'p'}, {0x2c, 6, 'r'}, {0x08, 5, 's'}, {0x09, 5, 't'}, {0x2d, 6, 'u'},
}};
constexpr unsigned kCodeMax = 7;

// Empty where there is anything else in it.
std::string without_huffman(std::string_view bytes) {
  std::string text;
  unsigned code = 0;
  unsigned bits = 0;
  for (const char byte : bytes) {
    for (int bit = 7; bit >= 0; --bit) {
      code = code << 1 | (static_cast<uint8_t>(byte) >> bit & 1);
      ++bits;
      const auto* found =
          std::ranges::find_if(kLetters, [&](const Letter& known) { return known.bits == bits && known.code == code; });
      if (found != kLetters.end()) {
        text += found->letter;
        code = bits = 0;
      }
      if (bits > kCodeMax) return {};
    }
  }
  const bool is_padding = code == (1u << bits) - 1;
  return is_padding ? text : std::string();
}

// Section 5.2. As without_huffman(), where it is in that.
std::optional<std::string> take_string(std::string_view& left) {
  const bool is_huffman = !left.empty() && (left.front() & 0x80) != 0;
  const std::optional<uint32_t> size = take_integer(left, 7);
  if (!size || *size > left.size()) return std::nullopt;
  const std::string_view bytes = left.substr(0, *size);
  left.remove_prefix(*size);
  return is_huffman ? without_huffman(bytes) : std::string(bytes);
}

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc() || end != text.end()) return std::nullopt;
  return value;
}

// Section 6.2. False: it is malformed.
bool take_literal(std::string_view& left, unsigned prefix_bits, CallFields& fields) {
  const std::optional<uint32_t> index = take_integer(left, prefix_bits);
  if (!index) return false;
  std::optional<std::string> name;
  if (*index == 0) {
    name = take_string(left);
    if (!name) return false;
  }
  const std::optional<std::string> value = take_string(left);
  if (!value) return false;
  const bool has_status = *index >= kFirstStatus && *index < kFirstStatus + kStatuses.size();
  if (has_status || name == ":status") fields.http_status = number(*value);
  if (name == "grpc-status") fields.grpc_status = number(*value);
  return true;
}

// Section 6.1.
bool take_indexed(std::string_view& left, CallFields& fields) {
  const std::optional<uint32_t> index = take_integer(left, 7);
  if (!index || *index == 0) return false;
  if (*index >= kFirstStatus && *index < kFirstStatus + kStatuses.size()) {
    fields.http_status = kStatuses[*index - kFirstStatus];
  }
  return true;
}

}  // namespace

std::optional<CallFields> read_call_fields(std::string_view block) {
  CallFields fields;
  while (!block.empty()) {
    const auto first = static_cast<uint8_t>(block.front());
    bool is_good;
    if ((first & 0x80) != 0) {
      is_good = take_indexed(block, fields);
    } else if ((first & 0xe0) == 0x20) {
      // The size of the table that nobody keeps (section 6.3).
      is_good = take_integer(block, 5).has_value();
    } else {
      is_good = take_literal(block, (first & 0x40) != 0 ? 6 : 4, fields);
    }
    if (!is_good) return std::nullopt;
  }
  return fields;
}

}  // namespace fairlead::codec
