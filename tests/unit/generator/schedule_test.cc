#include "generator/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

namespace fairlead::generator {
namespace {

using testing::HasSubstr;

std::string file_with(const std::string& content) {
  std::string path =
      testing::TempDir() + "schedule_" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".csv";
  std::ofstream(path) << content;
  return path;
}

int count_arrivals(const Schedule& schedule, Spacing spacing, uint32_t seed) {
  Arrivals arrivals(schedule, spacing, seed);
  int count = 0;
  for (double at = arrivals.next(); at < schedule.end(); at = arrivals.next()) ++count;
  return count;
}

TEST(Schedule, IsLinearBetweenItsPointsAndNothingBeyond) {
  absl::StatusOr<Schedule> schedule = Schedule::read(file_with("seconds,requests_per_second\n1,0\n3,100\n4,50\n"));
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  EXPECT_EQ(schedule->end(), 4);
  EXPECT_EQ(schedule->rate_at(0.5), 0);
  EXPECT_EQ(schedule->rate_at(2), 50);
  EXPECT_EQ(schedule->rate_at(3.5), 75);
  EXPECT_EQ(schedule->rate_at(5), 0);
}

TEST(Schedule, RefusesWhatIsNoSchedule) {
  struct Case {
    std::string content;
    std::string expected;
  };
  for (const Case& refused : {
           Case{"", "fewer than two points"},
           Case{"0,1\n", "fewer than two points"},
           Case{"0,1\nx,2\n", ":2: 'x,2' is not 'seconds,requests_per_second'"},
           Case{"0,1\n1\n", ":2: '1' is not"},
           Case{"0,1\n1,-2\n", ":2: '1,-2' is not"},
           Case{"0,1\n1,nan\n", ":2: '1,nan' is not"},
           Case{"0,1\n5,1\n5,2\n", ":3: '5,2' is not later than the line before"},
       }) {
    absl::StatusOr<Schedule> schedule = Schedule::read(file_with(refused.content));
    ASSERT_FALSE(schedule.ok()) << refused.content;
    EXPECT_THAT(std::string(schedule.status().message()), HasSubstr(refused.expected));
  }
  EXPECT_FALSE(Schedule::read("/nonexistent.csv").ok());
}

TEST(Arrivals, UniformOnesAreAsManyAsTheRateSays) {
  Schedule schedule = Schedule::constant(200, 3);
  EXPECT_NEAR(count_arrivals(schedule, Spacing::kUniform, 1), 600, 1);
}

TEST(Arrivals, FollowARateThatChangesWithinAPause) {
  // A rate near zero would postpone the next request for minutes, were it taken as it is when the pause begins.
  absl::StatusOr<Schedule> schedule = Schedule::read(file_with("0,0.001\n1,0.001\n1.01,1000\n2.01,1000\n"));
  ASSERT_TRUE(schedule.ok());
  EXPECT_NEAR(count_arrivals(*schedule, Spacing::kUniform, 1), 1005, 10);
}

// The property: the count of a Poisson process has its mean as variance, so that five deviations are never left.
TEST(Arrivals, PoissonOnesAreAsManyAsTheRateSaysOnAverage) {
  Schedule schedule = Schedule::constant(1000, 2);
  for (uint32_t seed = 0; seed < 20; ++seed) {
    EXPECT_NEAR(count_arrivals(schedule, Spacing::kPoisson, seed), 2000, 5 * std::sqrt(2000)) << "seed " << seed;
  }
}

TEST(Arrivals, GrowAndAreTheSameForASeed) {
  Schedule schedule = Schedule::constant(500, 1);
  Arrivals one(schedule, Spacing::kPoisson, 7);
  Arrivals other(schedule, Spacing::kPoisson, 7);
  double last = 0;
  for (int i = 0; i < 400; ++i) {
    double at = one.next();
    EXPECT_GE(at, last);
    EXPECT_EQ(at, other.next());
    last = at;
  }
}

}  // namespace
}  // namespace fairlead::generator
