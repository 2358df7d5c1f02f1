// MD5 (RFC 1321), for what others have defined by it, such as ketama's ring. Not for secrets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fairlead::base {

class Md5 {
 public:
  // The digest's bytes, four at a time, the first the lowest.
  using Words = std::array<uint32_t, 4>;

  static Words of(std::string_view bytes) {
    Md5 digest;
    digest.add(bytes);
    return digest.words();
  }

  void add(std::string_view bytes);
  // Of all that was added so far.
  Words words() const;

 private:
  static constexpr size_t kBlock = 64;

  static void take_block(Words& state, const char* block);

  Words state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  uint64_t size_ = 0;
  // What has come since the last whole block: size_ % kBlock bytes.
  std::array<char, kBlock> rest_;
};

}  // namespace fairlead::base
