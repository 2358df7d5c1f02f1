#include "net/ip_text.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::net {
namespace {

std::optional<uint64_t> source_of(std::string_view text) {
  std::string spelled;
  return source_of_text(text, spelled);
}

std::string spelling_of(std::string_view text) {
  std::string spelled;
  EXPECT_TRUE(source_of_text(text, spelled)) << text;
  return spelled;
}

TEST(SourceOfText, IsThatOfAConnection) {
  EXPECT_EQ(source_of("192.0.2.1"), uint64_t{1} << 32 | 0xc0000201);
  EXPECT_EQ(source_of("2001:db8::1"), source_of("2001:db8::2"));
  EXPECT_NE(source_of("2001:db8::1"), source_of("2001:db9::1"));
  EXPECT_EQ(source_of("::1"), 1u);
  for (const char* text : {"", "unknown", "192.0.2", "192.0.2.1:80", "[::1]", "192.0.2.256"}) {
    EXPECT_EQ(source_of(text), std::nullopt) << text;
  }
  EXPECT_EQ(source_of(std::string(1000, '1')), std::nullopt);
}

TEST(SourceOfText, IsTheSameInEachSpelling) {
  EXPECT_EQ(source_of("::ffff:192.0.2.1"), source_of("192.0.2.1"));
  EXPECT_EQ(spelling_of("::FFFF:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(spelling_of("::ffff:c000:201"), "192.0.2.1");
  EXPECT_EQ(spelling_of("2001:0DB8:0::1"), "2001:db8::1");
  EXPECT_EQ(spelling_of("192.0.2.1"), "192.0.2.1");
}

}  // namespace
}  // namespace fairlead::net
