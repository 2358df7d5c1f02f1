#include "net/ip_text.h"

#include <gtest/gtest.h>

namespace fairlead::net {
namespace {

TEST(SourceOfText, IsThatOfAConnection) {
  EXPECT_EQ(source_of_text("192.0.2.1"), uint64_t{1} << 32 | 0xc0000201);
  EXPECT_EQ(source_of_text("2001:db8::1"), source_of_text("2001:db8::2"));
  EXPECT_NE(source_of_text("2001:db8::1"), source_of_text("2001:db9::1"));
  EXPECT_EQ(source_of_text("::1"), 1u);
  for (const char* text : {"", "unknown", "192.0.2", "192.0.2.1:80", "[::1]", "192.0.2.256"}) {
    EXPECT_EQ(source_of_text(text), std::nullopt) << text;
  }
  EXPECT_EQ(source_of_text(std::string(1000, '1')), std::nullopt);
}

}  // namespace
}  // namespace fairlead::net
