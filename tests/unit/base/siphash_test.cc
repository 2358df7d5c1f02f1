#include "base/siphash.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::base {
namespace {

// The paper's appendix, and the first of its authors' vectors: the key's bytes are 0 to 15, the input's 0, 1, 2 ...
TEST(Siphash, HasItsAuthorsValues) {
  constexpr SipKey kKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string input;
  for (char c = 0; c < 15; ++c) input += c;
  EXPECT_EQ(siphash(kKey, input), 0xa129ca6149be45e5u);
  EXPECT_EQ(siphash(kKey, ""), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(siphash(kKey, input.substr(0, 1)), 0x74f839c593dc67fdu);
  EXPECT_EQ(siphash(kKey, input.substr(0, 8)), 0x93f5f5799a932462u);
}

}  // namespace
}  // namespace fairlead::base
