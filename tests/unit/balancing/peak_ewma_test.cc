#include "balancing/peak_ewma.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace fairlead::balancing {
namespace {

using config::Duration;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kDecay = seconds(10);

double cost(const PeakEwma& ewma, uint64_t in_flight, Duration now) {
  return std::exp2(ewma.cost(in_flight, now, kDecay).value);
}

TEST(PeakEwma, WhatIsUnknownIsTriedOnce) {
  PeakEwma ewma;
  EXPECT_EQ(cost(ewma, 0, seconds(1)), 0);
  EXPECT_GE(ewma.cost(1, seconds(1), kDecay).value, PeakEwma::kUnknown);
  EXPECT_LT(ewma.cost(1, seconds(1), kDecay).value, ewma.cost(2'000'000, seconds(1), kDecay).value);
  ewma.observe(milliseconds(5), seconds(1), kDecay);
  EXPECT_NEAR(cost(ewma, 0, seconds(1)), 5e6, 1e-3);
  EXPECT_NEAR(cost(ewma, 3, seconds(1)), 20e6, 1e-3);
  EXPECT_NEAR(cost(ewma, 999, seconds(1)), 5e9, 1);

  PeakEwma slowest;
  slowest.observe(std::chrono::hours(24), seconds(1), kDecay);
  EXPECT_LT(slowest.cost(1'000'000, seconds(1), kDecay).value, PeakEwma::kUnknown);
}

TEST(PeakEwma, ASlowResponseCountsAtOnceAndIsForgottenWithTime) {
  PeakEwma ewma;
  ewma.observe(milliseconds(10), seconds(1), kDecay);
  ewma.observe(milliseconds(500), seconds(2), kDecay);
  EXPECT_NEAR(ewma.latency(seconds(2), kDecay), 500e6, 1e-3);
  EXPECT_NEAR(ewma.latency(seconds(12), kDecay), 500e6 / std::exp(1), 1);
  EXPECT_NEAR(ewma.latency(seconds(12), seconds(5)), 500e6 / std::exp(2), 1) << "the setting of the moment holds";
  // A fast one right after it changes next to nothing, however many there are.
  for (int i = 0; i < 1'000; ++i) ewma.observe(milliseconds(10), seconds(2), kDecay);
  EXPECT_NEAR(ewma.latency(seconds(2), kDecay), 500e6, 1e3);
  ewma.observe(milliseconds(10), seconds(12), kDecay);
  EXPECT_NEAR(ewma.latency(seconds(12), kDecay), 500e6 / std::exp(1) + 10e6 * (1 - 1 / std::exp(1)), 1);
}

// Finagle's definition, written down plainly. Looking is observing 0 there; here it leaves nothing behind, so that an
// average does not depend on how often somebody looks.
TEST(PeakEwma, DoesWhatFinagleDoes) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    PeakEwma ewma;
    double cost = 0;
    double stamp = 0;
    double now = 0;
    auto after = [&](double rtt) {
      double weight = std::exp(-std::max(now - stamp, 0.0) / static_cast<double>(kDecay.count()));
      return rtt > cost ? rtt : cost * weight + rtt * (1 - weight);
    };
    for (int step = 0; step < 2'000; ++step) {
      now += static_cast<double>(random.below(2'000'000'000));
      Duration moment(static_cast<int64_t>(now));
      if (random.below(2) == 0) {
        auto rtt = static_cast<double>(1 + random.below(100'000'000));
        cost = after(rtt);
        stamp = now;
        ewma.observe(Duration(static_cast<int64_t>(rtt)), moment, kDecay);
      }
      uint64_t pending = random.below(5);
      double expected = after(0) * static_cast<double>(pending + 1);
      if (cost > 0)
        ASSERT_NEAR(balancing::cost(ewma, pending, moment), expected, expected * 1e-6 + 1) << "step " << step;
    }
  }
}

TEST(PeakEwma, TimeThatDoesNotPassHarmsNothing) {
  PeakEwma ewma;
  ewma.observe(Duration::zero(), seconds(5), kDecay);
  EXPECT_GT(ewma.latency(seconds(5), kDecay), 0) << "it has answered";
  ewma.observe(milliseconds(3), seconds(4), kDecay);
  EXPECT_NEAR(ewma.latency(seconds(3), kDecay), 3e6, 1e-3);
}

}  // namespace
}  // namespace fairlead::balancing
