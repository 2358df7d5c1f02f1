// Latencies in nanoseconds, each known to within 1/128; up to 18 minutes. Fine enough to compare proxies, 25 KB.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "runtime/time.h"

namespace fairlead::generator {

class LatencyHistogram {
 public:
  void record(runtime::Duration latency) {
    auto value = static_cast<uint64_t>(latency.count() < 0 ? 0 : latency.count());
    ++counts_[bucket_of(value)];
    ++count_;
    sum_ += value;
    if (value > max_) max_ = value;
  }
  uint64_t count() const { return count_; }
  // The upper bound of the bucket in which the quantile (0 to 1) lies, in milliseconds; 0 where nothing was recorded.
  double quantile_ms(double q) const {
    auto rank = static_cast<uint64_t>(q * static_cast<double>(count_));
    uint64_t below = 0;
    for (int bucket = 0; bucket < kBuckets; ++bucket) {
      below += counts_[bucket];
      if (below > rank) return milliseconds(upper_bound(bucket) < max_ ? upper_bound(bucket) : max_);
    }
    return milliseconds(max_);
  }
  double max_ms() const { return milliseconds(max_); }
  double mean_ms() const { return count_ == 0 ? 0 : milliseconds(sum_) / static_cast<double>(count_); }
  void clear() { *this = LatencyHistogram(); }

 private:
  static constexpr int kSubBits = 7;
  static constexpr int kSub = 1 << kSubBits;
  static constexpr int kOctaves = 40;
  static constexpr int kBuckets = (kOctaves - kSubBits + 1) * kSub;

  static int bucket_of(uint64_t value) {
    if (value < kSub) return static_cast<int>(value);
    int octave = std::bit_width(value) - 1;
    if (octave >= kOctaves) return kBuckets - 1;
    int sub = static_cast<int>(value >> (octave - kSubBits)) & (kSub - 1);
    return (octave - kSubBits + 1) * kSub + sub;
  }
  static uint64_t upper_bound(int bucket) {
    if (bucket < kSub) return static_cast<uint64_t>(bucket);
    int shift = bucket / kSub - 1;
    return ((static_cast<uint64_t>(kSub + bucket % kSub) + 1) << shift) - 1;
  }
  static double milliseconds(uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

  std::array<uint32_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace fairlead::generator
