#include "base/md5.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace fairlead::base {
namespace {

std::string hex(Md5::Words words) {
  std::string text;
  for (uint32_t word : words) {
    for (int byte = 0; byte < 4; ++byte) {
      char digits[3];
      std::snprintf(digits, sizeof digits, "%02x", word >> byte * 8 & 0xff);
      text += digits;
    }
  }
  return text;
}

// RFC 1321, appendix A.5.
TEST(Md5, DigestsAsPublished) {
  EXPECT_EQ(hex(Md5::of("")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex(Md5::of("a")), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(hex(Md5::of("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex(Md5::of("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(hex(Md5::of("abcdefghijklmnopqrstuvwxyz")), "c3fcd3d76192e4007dfb496cca67e13b");
  EXPECT_EQ(hex(Md5::of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")),
            "d174ab98d277d9f5a5611c2c9f419d9f");
  EXPECT_EQ(hex(Md5::of("12345678901234567890123456789012345678901234567890123456789012345678901234567890")),
            "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(Md5, PiecesDigestAsTheWhole) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>(i * 37);
  for (size_t size = 0; size <= text.size(); ++size) {
    std::string_view whole = std::string_view(text).substr(0, size);
    for (size_t step : {1u, 7u, 63u, 64u, 65u}) {
      Md5 digest;
      for (size_t at = 0; at < size; at += step) digest.add(whole.substr(at, step));
      ASSERT_EQ(digest.words(), Md5::of(whole)) << size << " bytes in steps of " << step;
    }
  }
}

}  // namespace
}  // namespace fairlead::base
