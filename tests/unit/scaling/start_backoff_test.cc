#include "scaling/start_backoff.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace fairlead::scaling {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

absl::Time at(double seconds) { return kStart + absl::Seconds(seconds); }

TEST(StartBackoff, Table) {
  struct Case {
    int failures;
    double first;
    double longest;
    double wait;
  };
  const Case cases[] = {
      {1, 1, 60, 1},    {2, 1, 60, 2},   {3, 1, 60, 4},      {6, 1, 60, 32},  {7, 1, 60, 60},
      {100, 1, 60, 60}, {1, 60, 60, 60}, {4, 0.25, 3600, 2}, {1, 90, 60, 60}, {2'000'000'000, 1, 60, 60},
  };
  for (const Case& c : cases) {
    const StartBackoffOptions options{.first_wait = absl::Seconds(c.first), .longest_wait = absl::Seconds(c.longest)};
    EXPECT_EQ(wait_after_failures(options, c.failures), absl::Seconds(c.wait)) << c.failures << " of " << c.first;
  }
}

TEST(StartBackoff, WaitsLongerAfterEachFailure) {
  StartBackoff backoff({});
  EXPECT_TRUE(backoff.may_start(at(0)));
  EXPECT_EQ(backoff.failed(at(0), "s1"), absl::Seconds(1));
  EXPECT_FALSE(backoff.may_start(at(0.9)));
  EXPECT_TRUE(backoff.may_start(at(1)));
  // To serve for a moment is not enough.
  backoff.serves(at(1.1), "s2");
  EXPECT_EQ(backoff.failed(at(1.2), "s2"), absl::Seconds(2));
  backoff.serves(at(4), "s3");
  EXPECT_EQ(backoff.failed(at(33.9), "s3"), absl::Seconds(4));
  EXPECT_EQ(backoff.failures_in_a_row(), 3);
}

TEST(StartBackoff, WhatFailsTogetherIsOneFailure) {
  StartBackoff backoff({});
  EXPECT_EQ(backoff.failed(at(0), "s1"), absl::Seconds(1));
  EXPECT_EQ(backoff.failed(at(0.5), "s2"), std::nullopt);
  EXPECT_TRUE(backoff.may_start(at(1)));
  EXPECT_EQ(backoff.failed(at(1), "s3"), absl::Seconds(2));
}

TEST(StartBackoff, ARowEndsWhenAServerServesForAWhile) {
  StartBackoff backoff({});
  for (int i = 0; i < 10; ++i) backoff.failed(at(100 * i), "s1");
  backoff.serves(at(1000), "s2");
  EXPECT_EQ(backoff.failed(at(1030), "s2"), absl::Seconds(1)) << "that it ends now is the first failure";
  for (int i = 11; i < 20; ++i) backoff.failed(at(100 * i), "s1");
  backoff.serves(at(2000), "s3");
  backoff.stopped(at(2040), "s3");
  EXPECT_EQ(backoff.failed(at(2041), "s4"), absl::Seconds(1)) << "what was stopped had served";
}

TEST(StartBackoff, AServerFromBeforeTheFailuresProvesNothing) {
  StartBackoff backoff({});
  backoff.serves(at(0), "s1");
  EXPECT_EQ(backoff.failed(at(100), "s2"), absl::Seconds(1));
  EXPECT_EQ(backoff.failed(at(200), "s3"), absl::Seconds(2));
  EXPECT_EQ(backoff.failed(at(300), "s4"), absl::Seconds(4));
}

}  // namespace
}  // namespace fairlead::scaling
