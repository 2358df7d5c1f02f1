#include "config/hash_ring.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/md5.h"

namespace fairlead::config {
namespace {

constexpr uint32_t kDigestsOfAverage = 40;

// How many digests each has.
std::vector<uint32_t> count_digests(std::span<const HashCandidate> candidates) {
  uint64_t total_weight = 0;
  for (const HashCandidate& candidate : candidates) total_weight += candidate.weight;
  std::vector<uint32_t> counts;
  counts.reserve(candidates.size());
  uint64_t total = 0;
  for (const HashCandidate& candidate : candidates) {
    // In these types and this order, as libketama does: that rounding is part of what is compatible.
    float part = static_cast<float>(candidate.weight) / static_cast<float>(total_weight);
    double exact =
        static_cast<double>(part) * kDigestsOfAverage * static_cast<double>(static_cast<float>(candidates.size()));
    counts.push_back(std::max(1u, static_cast<uint32_t>(std::floor(static_cast<float>(exact)))));
    total += counts.back();
  }
  if (total <= HashRing::kDigestsMax) return counts;
  for (uint32_t& count : counts) {
    count = std::max(1u, static_cast<uint32_t>(count * HashRing::kDigestsMax / total));
  }
  return counts;
}

}  // namespace

HashRing::HashRing(std::span<const HashCandidate> candidates) {
  std::vector<uint32_t> counts = count_digests(candidates);
  size_t total = 0;
  for (uint32_t count : counts) total += count;
  points_.reserve(total * 4);
  // In place of slots, the candidates' numbers at first: what is at one position stands in their order.
  std::string text;
  for (uint32_t i = 0; i < candidates.size(); ++i) {
    text = candidates[i].identity + "-";
    size_t prefix = text.size();
    for (uint32_t number = 0; number < counts[i]; ++number) {
      text.resize(prefix);
      text += std::to_string(number);
      for (uint32_t position : base::Md5::of(text)) points_.push_back({position, i});
    }
  }
  std::ranges::sort(points_, {}, [](const Point& point) { return uint64_t{point.position} << 32 | point.slot; });
  for (Point& point : points_) point.slot = candidates[point.slot].slot;
}

size_t HashRing::find(uint32_t position) const {
  auto at = std::ranges::lower_bound(points_, position, {}, &Point::position);
  return at == points_.end() ? 0 : static_cast<size_t>(at - points_.begin());
}

}  // namespace fairlead::config
