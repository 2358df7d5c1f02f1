// CRC-32C (Castagnoli; RFC 3720 appendix B.4), a byte at a time: for what is short.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fairlead::codec {

namespace internal {
constexpr std::array<uint32_t, 256> make_crc32c_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest & 1) != 0 ? rest >> 1 ^ 0x82f6'3b78 : rest >> 1;
    table[byte] = rest;
  }
  return table;
}
inline constexpr std::array<uint32_t, 256> kCrc32cTable = make_crc32c_table();
}  // namespace internal

// Of `bytes` behind what `before` is the checksum of; 0 is that of nothing.
constexpr uint32_t crc32c(std::string_view bytes, uint32_t before = 0) {
  uint32_t rest = ~before;
  for (char byte : bytes) {
    rest = internal::kCrc32cTable[(rest ^ static_cast<unsigned char>(byte)) & 0xff] ^ rest >> 8;
  }
  return ~rest;
}

}  // namespace fairlead::codec
