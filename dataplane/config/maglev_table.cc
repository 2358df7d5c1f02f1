#include "config/maglev_table.h"

#include <algorithm>
#include <limits>

#include "base/xxh64.h"

namespace fairlead::config {
namespace {

constexpr Slot kFree = std::numeric_limits<Slot>::max();

// A candidate that takes places.
struct Taker {
  uint64_t place;  // The next of its permutation.
  uint64_t skip;
  uint64_t weight;
  // Takes part as soon as turns x weight have reached this.
  uint64_t next_turn = 0;
  Slot slot;
};

}  // namespace

MaglevTable::MaglevTable(std::span<const HashCandidate> candidates, uint32_t size) {
  if (candidates.empty()) return;
  uint64_t greatest = std::ranges::max(candidates, {}, &HashCandidate::weight).weight;
  std::vector<Taker> takers;
  takers.reserve(candidates.size());
  for (const HashCandidate& candidate : candidates) {
    takers.push_back({.place = base::Xxh64::of(candidate.identity) % size,
                      .skip = base::Xxh64::of(candidate.identity, 1) % (size - 1) + 1,
                      .weight = candidate.weight,
                      .slot = candidate.slot});
  }
  slots_.assign(size, kFree);
  uint32_t left = size;
  for (uint64_t turn = 1; left > 0; ++turn) {
    for (Taker& taker : takers) {
      if (turn * taker.weight < taker.next_turn) continue;
      taker.next_turn += greatest;
      while (slots_[taker.place] != kFree) taker.place = (taker.place + taker.skip) % size;
      slots_[taker.place] = taker.slot;
      if (--left == 0) break;
    }
  }
}

}  // namespace fairlead::config
