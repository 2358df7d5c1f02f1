#include "session/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fairlead::session {
namespace {

TEST(Backoff, DoublesUpToItsLimitAndBeginsAnewAfterAReset) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(absl::Milliseconds(100), absl::Seconds(5), seed);
    for (int round = 0; round < 2; ++round) {
      absl::Duration whole = absl::Milliseconds(100);
      for (int i = 0; i < 100; ++i) {
        const absl::Duration wait = backoff.next();
        ASSERT_GE(wait, whole / 2);
        ASSERT_LE(wait, whole);
        whole = std::min(whole * 2, absl::Seconds(5));
      }
      backoff.reset();
    }
  }
}

TEST(Backoff, TwoOfThemDoNotWaitAlike) {
  Backoff one(absl::Milliseconds(100), absl::Seconds(5), 1);
  Backoff other(absl::Milliseconds(100), absl::Seconds(5), 2);
  int equal = 0;
  for (int i = 0; i < 100; ++i) equal += one.next() == other.next() ? 1 : 0;
  EXPECT_EQ(equal, 0);
}

}  // namespace
}  // namespace fairlead::session
