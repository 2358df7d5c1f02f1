#include "scaling/recommender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace fairlead::scaling {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

absl::Time at(double seconds) { return kStart + absl::Seconds(seconds); }

ScalingPolicy policy() {
  return {.target = {.in_flight_per_server = 10, .tolerance = 0.1},
          .minimum = 2,
          .maximum = 50,
          .down_window = absl::Seconds(60),
          .up_limit = {},
          .down_limit = {}};
}

TEST(Recommender, GoesUpAtOnce) {
  Recommender recommender(policy());
  EXPECT_EQ(recommender.recommend(at(0), 2, 200).desired, 20);
}

TEST(Recommender, GoesDownToTheHighestOfTheWindow) {
  Recommender recommender(policy());
  EXPECT_EQ(recommender.recommend(at(0), 20, 200).desired, 20);
  EXPECT_EQ(recommender.recommend(at(10), 20, 120).desired, 20);
  EXPECT_EQ(recommender.recommend(at(30), 20, 50).desired, 20);
  EXPECT_EQ(recommender.recommend(at(61), 20, 50).desired, 12);
  EXPECT_EQ(recommender.recommend(at(91), 12, 50).desired, 5);
}

TEST(Recommender, AnOldHighRecommendationDoesNotScaleUp) {
  Recommender recommender(policy());
  recommender.recommend(at(0), 2, 300);
  EXPECT_EQ(recommender.recommend(at(10), 12, 80).desired, 12);
}

TEST(Recommender, WhatIsThereAtTheStartIsKeptForOneWindow) {
  Recommender recommender(policy());
  EXPECT_EQ(recommender.recommend(at(0), 9, 0).desired, 9);
  EXPECT_EQ(recommender.recommend(at(59), 9, 0).desired, 9);
  EXPECT_EQ(recommender.recommend(at(61), 9, 0).desired, 2);
}

TEST(Recommender, BoundsWinOverEverything) {
  ScalingPolicy slow = policy();
  slow.up_limit = *parse_change_limit("1/1h");
  slow.down_limit = *parse_change_limit("1/1h");
  Recommender recommender(slow);
  EXPECT_EQ(recommender.recommend(at(0), 0, 0).desired, 2);
  EXPECT_EQ(recommender.recommend(at(1), 99, 5000).desired, 50);
  EXPECT_EQ(recommender.recommend(at(2), 50, 5000).desired, 50);
  EXPECT_EQ(recommender.without_load(0).desired, 2);
  EXPECT_EQ(recommender.without_load(7).desired, 7);
  EXPECT_EQ(recommender.without_load(99).desired, 50);
}

TEST(Recommender, LimitsSpreadTheWayUp) {
  ScalingPolicy limited = policy();
  limited.up_limit = *parse_change_limit("4/10s");
  Recommender recommender(limited);
  ASSERT_EQ(recommender.recommend(at(0), 2, 300).desired, 6);
  recommender.changed(at(0), 4);
  EXPECT_EQ(recommender.recommend(at(5), 6, 300).desired, 6);
  EXPECT_EQ(recommender.recommend(at(10), 6, 300).desired, 10);
}

TEST(Recommender, LimitsSpreadTheWayDown) {
  ScalingPolicy limited = policy();
  limited.down_window = absl::ZeroDuration();
  limited.down_limit = *parse_change_limit("3/10s");
  Recommender recommender(limited);
  ASSERT_EQ(recommender.recommend(at(0), 20, 200).desired, 20);
  ASSERT_EQ(recommender.recommend(at(1), 20, 20).desired, 17);
  recommender.changed(at(1), -3);
  EXPECT_EQ(recommender.recommend(at(10), 17, 20).desired, 17);
  EXPECT_EQ(recommender.recommend(at(11), 17, 20).desired, 14);
}

TEST(Recommender, StaysWithinItsBoundsAndNeverGoesBelowTheWindow) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  Recommender recommender(policy());
  HighestWindow asked(policy().down_window);
  int servers = 5;
  asked.add(at(0), servers);
  for (int i = 0; i < 20000; ++i) {
    const double load = std::exponential_distribution(0.01)(random);
    const Recommendation recommendation = recommender.recommend(at(i), servers, load);
    asked.add(at(i), recommendation.for_load);
    ASSERT_GE(recommendation.desired, 2);
    ASSERT_LE(recommendation.desired, 50);
    if (recommendation.desired < servers && servers <= 50) ASSERT_GE(recommendation.desired, asked.highest(at(i)));
    servers = recommendation.desired;
  }
}

TEST(ScalingPolicy, WrongOnesAreNamed) {
  struct Case {
    const char* field;
    ScalingPolicy policy;
  };
  ScalingPolicy wrong[6] = {policy(), policy(), policy(), policy(), policy(), policy()};
  wrong[0].target.in_flight_per_server = 0;
  wrong[1].target.tolerance = 1;
  wrong[2].minimum = 0;
  wrong[3].maximum = 1;
  wrong[4].down_window = -absl::Seconds(1);
  wrong[5].target.in_flight_per_server = std::numeric_limits<double>::quiet_NaN();
  const char* fields[6] = {
      "target_in_flight: ", "tolerance: ", "min: ", "max: ", "down_window: ", "target_in_flight: "};
  for (int i = 0; i < 6; ++i) {
    EXPECT_THAT(std::string(validate(wrong[i]).message()), testing::StartsWith(fields[i]));
  }
  EXPECT_TRUE(validate(policy()).ok());
}

}  // namespace
}  // namespace fairlead::scaling
