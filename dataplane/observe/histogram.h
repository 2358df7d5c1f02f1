// A histogram with buckets of constant relative width: each power of two is cut into kSubBuckets equal parts, so a
// value is known to within 1/kSubBuckets. Values from 0 to 2^kOctaves-1; larger ones count in the last bucket. No
// allocation.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace fairlead::observe {

class Histogram {
 public:
  static constexpr int kSubBucketBits = 3;
  static constexpr int kSubBuckets = 1 << kSubBucketBits;
  static constexpr int kOctaves = 27;  // in microseconds: 134 seconds
  static constexpr int kBuckets = (kOctaves - kSubBucketBits + 1) * kSubBuckets;

  void record(uint64_t value) {
    ++counts_[bucket_of(value)];
    sum_ += value;
  }
  uint64_t count() const;
  uint64_t sum() const { return sum_; }
  uint64_t bucket_count(int bucket) const { return counts_[bucket]; }
  // The largest value that counts in the bucket.
  static uint64_t upper_bound(int bucket);
  // The upper bound of the bucket in which the quantile (0 to 1) lies; 0 where nothing was recorded.
  uint64_t quantile(double q) const;

  Histogram& operator+=(const Histogram& other);
  Histogram& operator-=(const Histogram& other);

  static int bucket_of(uint64_t value) {
    if (value < kSubBuckets) return static_cast<int>(value);
    int octave = std::bit_width(value) - 1;
    if (octave >= kOctaves) return kBuckets - 1;
    int sub = static_cast<int>(value >> (octave - kSubBucketBits)) & (kSubBuckets - 1);
    return (octave - kSubBucketBits + 1) * kSubBuckets + sub;
  }

 private:
  uint64_t sum_ = 0;
  std::array<uint64_t, kBuckets> counts_{};
};

}  // namespace fairlead::observe
