// Numbers as Protobuf writes them: seven bits a byte, the lowest first, and a high bit where more follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::base {

inline void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

inline size_t varint_size(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// From the front of `left`. Nothing where it ends in the middle of a number, or one has more than 64 bits; then what
// was read is gone.
inline std::optional<uint64_t> take_varint(std::string_view& left) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !left.empty(); shift += 7) {
    auto byte = static_cast<uint8_t>(left.front());
    left.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

}  // namespace fairlead::base
