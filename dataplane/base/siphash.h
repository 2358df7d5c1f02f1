// SipHash-2-4 of J.-P. Aumasson and D. J. Bernstein ("SipHash: a fast short-input PRF", 2012): a keyed hash that nobody
// without the key can foretell. Equal in all processes, machines and versions.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fairlead::base {

// The key's bytes, eight at a time, the first the lowest.
using SipKey = std::array<uint64_t, 2>;

inline uint64_t siphash(const SipKey& key, std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little, "numbers are read from memory as they stand");
  uint64_t v0 = key[0] ^ 0x736f6d6570736575, v1 = key[1] ^ 0x646f72616e646f6d;
  uint64_t v2 = key[0] ^ 0x6c7967656e657261, v3 = key[1] ^ 0x7465646279746573;
  const auto rounds = [&](int count) {
    for (; count > 0; --count) {
      v0 += v1, v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0, v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1, v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2, v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  };
  const auto take = [&](uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  };
  uint64_t last = uint64_t{bytes.size()} << 56;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    take(word);
  }
  for (size_t i = 0; i < bytes.size(); ++i) last |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  take(last);
  v2 ^= 0xff;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace fairlead::base
