// The state after each result equals that of a plain look back at all results.
#include "health/thresholds.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "health/schedule.h"

namespace fairlead::health {
namespace {

using State = Thresholds::State;
using std::chrono::milliseconds;
using std::chrono::seconds;

config::HealthCheck settings(uint32_t rise, uint32_t fall) {
  config::HealthCheck check;
  check.rise = rise;
  check.fall = fall;
  return check;
}

// How many of the last results are `wanted`.
size_t run_of(const std::vector<bool>& results, bool wanted) {
  size_t count = 0;
  for (auto at = results.rbegin(); at != results.rend() && *at == wanted; ++at) ++count;
  return count;
}

State by_history(const std::vector<bool>& all, bool in_service, uint32_t rise, uint32_t fall) {
  State state = in_service ? State::kPresumed : State::kPending;
  // Of the present state.
  std::vector<bool> results;
  for (bool success : all) {
    results.push_back(success);
    State before = state;
    if (state == State::kPending)
      state = success ? State::kUp : State::kPending;
    else if (state == State::kPresumed)
      state = success ? State::kUp : State::kDown;
    else if (state == State::kUp && run_of(results, false) >= fall)
      state = State::kDown;
    else if (state == State::kDown && run_of(results, true) >= rise)
      state = State::kUp;
    if (state != before) results.clear();
  }
  return state;
}

TEST(Thresholds, EqualALookBackAtAllResults) {
  uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    auto rise = static_cast<uint32_t>(1 + random() % 4);
    auto fall = static_cast<uint32_t>(1 + random() % 4);
    bool in_service = random() % 2;
    config::HealthCheck check = settings(rise, fall);
    Thresholds thresholds(in_service);
    std::vector<bool> results;
    for (int i = 0; i < 40; ++i) {
      results.push_back(random() % 3 > 0);
      State before = thresholds.state();
      bool changed = thresholds.observe(results.back(), check);
      ASSERT_EQ(changed, thresholds.state() != before);
      ASSERT_EQ(thresholds.state(), by_history(results, in_service, rise, fall)) << i;
    }
  }
}

TEST(Thresholds, OneSuccessIsEnoughForTheFirst) {
  Thresholds pending(/*in_service=*/false);
  config::HealthCheck check = settings(100, 100);
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(pending.observe(false, check));
  EXPECT_EQ(pending.state(), State::kPending);
  EXPECT_TRUE(pending.observe(true, check));
  EXPECT_EQ(pending.state(), State::kUp);
}

TEST(Thresholds, FollowSettingsThatChangeInBetween) {
  Thresholds thresholds(/*in_service=*/true);
  thresholds.observe(true, settings(2, 3));
  thresholds.observe(false, settings(2, 3));
  EXPECT_TRUE(thresholds.is_changing());
  EXPECT_TRUE(thresholds.observe(false, settings(2, 2))) << "two have failed by now";
  EXPECT_FALSE(thresholds.is_changing());
}

TEST(Schedule, GoesByTheState) {
  config::HealthCheck check = settings(2, 2);
  check.interval = seconds(10);
  check.fast_interval = seconds(1);
  check.down_interval = seconds(60);
  Thresholds thresholds(/*in_service=*/false);
  EXPECT_EQ(interval_of(thresholds, check), seconds(1)) << "pending";
  thresholds.observe(true, check);
  EXPECT_EQ(interval_of(thresholds, check), seconds(10));
  thresholds.observe(false, check);
  EXPECT_EQ(interval_of(thresholds, check), seconds(1)) << "failing";
  thresholds.observe(false, check);
  EXPECT_EQ(interval_of(thresholds, check), seconds(60)) << "down";
  thresholds.observe(true, check);
  EXPECT_EQ(interval_of(thresholds, check), seconds(1)) << "coming back";
  EXPECT_EQ(interval_of(thresholds, settings(2, 2)), seconds(2)) << "all the same where only one is said";
}

TEST(Schedule, SpreadsOverTheWholeAndKeepsApartByATenth) {
  base::Random random(7);
  std::vector<int> tenths(10);
  for (int i = 0; i < 10'000; ++i) {
    auto at = spread(milliseconds(1000), random);
    ASSERT_GT(at, milliseconds(0));
    ASSERT_LE(at, milliseconds(1000));
    ++tenths[std::min<size_t>(9, static_cast<size_t>(at / milliseconds(100)))];
    auto later = jittered(milliseconds(1000), random);
    ASSERT_GE(later, milliseconds(900));
    ASSERT_LT(later, milliseconds(1000));
  }
  for (int count : tenths) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace fairlead::health
