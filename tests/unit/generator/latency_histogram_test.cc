#include "generator/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace fairlead::generator {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(LatencyHistogram, OfNothingIsZero) {
  LatencyHistogram latencies;
  EXPECT_EQ(latencies.count(), 0u);
  EXPECT_EQ(latencies.quantile_ms(0.99), 0);
  EXPECT_EQ(latencies.max_ms(), 0);
  EXPECT_EQ(latencies.mean_ms(), 0);
}

TEST(LatencyHistogram, NeverReportsMoreThanTheLargestValue) {
  LatencyHistogram latencies;
  latencies.record(milliseconds(3));
  EXPECT_EQ(latencies.quantile_ms(0.5), 3);
  EXPECT_EQ(latencies.quantile_ms(0.99), 3);
  EXPECT_EQ(latencies.max_ms(), 3);
}

TEST(LatencyHistogram, TakesNegativeAndHugeValues) {
  LatencyHistogram latencies;
  latencies.record(nanoseconds(-5));
  latencies.record(std::chrono::hours(100));
  EXPECT_EQ(latencies.count(), 2u);
  EXPECT_EQ(latencies.quantile_ms(0), 0);
  EXPECT_EQ(latencies.max_ms(), 100 * 3600 * 1000.0);
}

// The property: a quantile is the sorted values' own, to within the width of a bucket.
TEST(LatencyHistogram, AgreesWithSortedValues) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    std::lognormal_distribution<double> distribution(13, 2);  // about 0.4 ms, with a long tail
    LatencyHistogram latencies;
    std::vector<double> sorted;
    for (int i = 0; i < 5000; ++i) {
      nanoseconds latency(static_cast<int64_t>(distribution(random)));
      latencies.record(latency);
      sorted.push_back(static_cast<double>(latency.count()) / 1e6);
    }
    std::ranges::sort(sorted);
    for (double q : {0.0, 0.1, 0.5, 0.9, 0.99, 0.999}) {
      double exact = sorted[static_cast<size_t>(q * 5000)];
      EXPECT_GE(latencies.quantile_ms(q), exact * (1 - 1e-9)) << "seed " << seed << ", quantile " << q;
      EXPECT_LE(latencies.quantile_ms(q), exact * (1 + 1.0 / 128)) << "seed " << seed << ", quantile " << q;
    }
  }
}

}  // namespace
}  // namespace fairlead::generator
