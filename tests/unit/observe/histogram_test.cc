#include "observe/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace fairlead::observe {
namespace {

TEST(Histogram, BoundsAndBucketsAgree) {
  uint64_t lowest = 0;
  for (int bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
    uint64_t highest = Histogram::upper_bound(bucket);
    EXPECT_EQ(Histogram::bucket_of(lowest), bucket);
    EXPECT_EQ(Histogram::bucket_of(highest), bucket);
    EXPECT_LE(highest - lowest, lowest / Histogram::kSubBuckets);
    lowest = highest + 1;
  }
  EXPECT_EQ(lowest, uint64_t{1} << Histogram::kOctaves);
  EXPECT_EQ(Histogram::bucket_of(lowest), Histogram::kBuckets - 1);
  EXPECT_EQ(Histogram::bucket_of(UINT64_MAX), Histogram::kBuckets - 1);
}

TEST(Histogram, OfNothingHasNoQuantile) {
  Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.quantile(0.5), 0u);
}

TEST(Histogram, QuantilesAreWithinABucketOfTheTrueOnes) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> latency(7, 2);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(std::min<uint64_t>(static_cast<uint64_t>(latency(random)), 100'000'000));
    histogram.record(values.back());
  }
  std::ranges::sort(values);
  for (double q : {0.0, 0.001, 0.5, 0.9, 0.99, 0.9999, 1.0}) {
    auto rank = std::max(1.0, std::ceil(q * static_cast<double>(values.size())));
    uint64_t exact = values[static_cast<size_t>(rank) - 1];
    EXPECT_EQ(histogram.quantile(q), Histogram::upper_bound(Histogram::bucket_of(exact))) << q;
  }
}

TEST(Histogram, WhatIsAddedCanBeTakenAway) {
  Histogram first;
  Histogram second;
  for (uint64_t value : {1u, 10u, 1000u}) first.record(value);
  for (uint64_t value : {10u, 5'000'000u}) second.record(value);
  Histogram sum = first;
  sum += second;
  EXPECT_EQ(sum.count(), 5u);
  EXPECT_EQ(sum.sum(), first.sum() + second.sum());
  EXPECT_EQ(sum.bucket_count(Histogram::bucket_of(10)), 2u);
  sum -= first;
  for (int bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
    EXPECT_EQ(sum.bucket_count(bucket), second.bucket_count(bucket));
  }
  EXPECT_EQ(sum.sum(), second.sum());
}

TEST(Histogram, MoreThanThereIsTakesAwayAllAndNoMore) {
  Histogram histogram;
  Histogram more;
  for (uint64_t value : {10u, 1000u, 1000u}) histogram.record(value);
  for (uint64_t value : {10u, 10u, 1000u, 5'000'000u}) more.record(value);
  histogram -= more;
  EXPECT_EQ(histogram.count(), 1u);
  EXPECT_EQ(histogram.bucket_count(Histogram::bucket_of(1000)), 1u);
  EXPECT_EQ(histogram.sum(), 0u);
  EXPECT_EQ(histogram.quantile(1), Histogram::upper_bound(Histogram::bucket_of(1000)));
}

}  // namespace
}  // namespace fairlead::observe
