#include "base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace fairlead::base {
namespace {

TEST(Random, TheSameSeedGivesTheSameNumbers) {
  Random first(7);
  Random second(7);
  Random other(8);
  for (int i = 0; i < 100; ++i) {
    uint64_t number = first.next();
    EXPECT_EQ(number, second.next());
    EXPECT_NE(number, other.next());
  }
}

TEST(Random, StaysBelowItsBoundAndReachesAllOfIt) {
  Random random(1);
  EXPECT_EQ(random.below(0), 0u);
  EXPECT_EQ(random.below(1), 0u);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) ++counts.at(random.below(counts.size()));
  for (int count : counts) EXPECT_NEAR(count, 10'000, 400);
  for (int i = 0; i < 1'000; ++i) EXPECT_LT(random.below(uint64_t{1} << 63), uint64_t{1} << 63);
}

TEST(Random, EachBitIsSetHalfOfTheTime) {
  Random random(0);
  std::array<int, 64> set{};
  for (int i = 0; i < 10'000; ++i) {
    uint64_t number = random.next();
    for (int bit = 0; bit < 64; ++bit) set[bit] += (number >> bit) & 1;
  }
  for (int count : set) EXPECT_NEAR(count, 5'000, 250);
}

}  // namespace
}  // namespace fairlead::base
