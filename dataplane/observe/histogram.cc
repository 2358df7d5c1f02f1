#include "observe/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fairlead::observe {

uint64_t Histogram::count() const { return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0}); }

uint64_t Histogram::upper_bound(int bucket) {
  if (bucket < kSubBuckets) return static_cast<uint64_t>(bucket);
  int shift = bucket / kSubBuckets - 1;
  uint64_t next_part = kSubBuckets + static_cast<uint64_t>(bucket % kSubBuckets) + 1;
  return (next_part << shift) - 1;
}

uint64_t Histogram::quantile(double q) const {
  uint64_t total = count();
  if (total == 0) return 0;
  auto rank = static_cast<uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total)));
  rank = std::clamp<uint64_t>(rank, 1, total);
  uint64_t seen = 0;
  int bucket = 0;
  while ((seen += counts_[bucket]) < rank) ++bucket;
  return upper_bound(bucket);
}

Histogram& Histogram::operator+=(const Histogram& other) {
  for (int i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  sum_ += other.sum_;
  return *this;
}

Histogram& Histogram::operator-=(const Histogram& other) {
  for (int i = 0; i < kBuckets; ++i) counts_[i] -= std::min(counts_[i], other.counts_[i]);
  sum_ -= std::min(sum_, other.sum_);
  return *this;
}

}  // namespace fairlead::observe
