#include "proxy/pace.h"

#include <gtest/gtest.h>

namespace fairlead::proxy {
namespace {

using runtime::kNever;
using runtime::TimePoint;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(1000)};

TEST(PaceTest, WithoutAMinimumNobodyIsTooSlow) {
  Pace none;
  Pace zero(0, seconds(10));
  for (Pace* pace : {&none, &zero}) {
    pace->moved(1, seconds(1000));
    EXPECT_EQ(pace->read_until(kStart, kNever), kNever);
    EXPECT_EQ(pace->written_by(kStart, 100), kNever);
    EXPECT_FALSE(pace->has_run_out(kStart, kNever));
  }
}

TEST(PaceTest, WhoSendsNothingHasTheGrace) {
  Pace pace(100, seconds(10));
  EXPECT_EQ(pace.read_until(kStart, kNever), kStart + seconds(10));
  EXPECT_EQ(pace.read_until(kStart, kStart + seconds(3)), kStart + seconds(3));
  EXPECT_FALSE(pace.has_run_out(kStart, kStart + milliseconds(9'999)));
  EXPECT_TRUE(pace.has_run_out(kStart, kStart + seconds(10)));
}

TEST(PaceTest, WhoIsSlowerLosesTheGraceBitByBit) {
  Pace pace(100, seconds(10));
  // Half as fast as it should be: a second is lost in two.
  int waits = 0;
  while (pace.read_until(kStart, kNever) > kStart + seconds(2)) {
    pace.moved(100, seconds(2));
    ++waits;
  }
  EXPECT_EQ(waits, 8);
  EXPECT_EQ(pace.read_until(kStart, kNever), kStart + seconds(2));
}

TEST(PaceTest, WhoIsJustFastEnoughGoesOnForEver) {
  Pace pace(100, seconds(10));
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_GT(pace.read_until(kStart, kNever), kStart + milliseconds(9'980));
    pace.moved(1, milliseconds(10));
  }
}

TEST(PaceTest, WhatWasFasterIsNotSavedBeyondTheGrace) {
  Pace pace(100, seconds(10));
  pace.moved(1'000'000'000, seconds(0));
  EXPECT_EQ(pace.read_until(kStart, kNever), kStart + seconds(10));
  pace.moved(0, seconds(9));
  pace.moved(300, seconds(0));
  EXPECT_EQ(pace.read_until(kStart, kNever), kStart + seconds(4));
}

TEST(PaceTest, AWriteHasTheTimeOfItsBytes) {
  Pace pace(100, seconds(10));
  EXPECT_EQ(pace.written_by(kStart, 500), kStart + seconds(15));
  EXPECT_FALSE(pace.has_run_out(kStart, kStart + seconds(14), 500));
  EXPECT_TRUE(pace.has_run_out(kStart, kStart + seconds(15), 500));
  // What is owed is lost from the next.
  pace.moved(500, seconds(8));
  EXPECT_EQ(pace.written_by(kStart, 0), kStart + seconds(7));
}

}  // namespace
}  // namespace fairlead::proxy
