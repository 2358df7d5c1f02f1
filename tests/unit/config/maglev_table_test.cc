#include "config/maglev_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "base/random.h"
#include "base/xxh64.h"

namespace fairlead::config {
namespace {

constexpr uint32_t kLarge = 65'537;

std::vector<HashCandidate> make_candidates(size_t count) {
  std::vector<HashCandidate> candidates;
  for (size_t i = 0; i < count; ++i) {
    candidates.push_back({"10.0.0." + std::to_string(i) + ":80", static_cast<Slot>(i * 3), 1});
  }
  std::ranges::sort(candidates, {}, &HashCandidate::identity);
  return candidates;
}

std::vector<Slot> places(const MaglevTable& table, uint32_t size) {
  std::vector<Slot> all;
  for (uint32_t place = 0; place < size; ++place) all.push_back(table.slot_of(place));
  return all;
}

// Pseudocode 1 of the paper, with permutations as whole tables.
std::vector<Slot> populate(const std::vector<HashCandidate>& candidates, uint32_t size) {
  std::vector<std::vector<uint64_t>> permutation;
  for (const HashCandidate& candidate : candidates) {
    uint64_t offset = base::Xxh64::of(candidate.identity) % size;
    uint64_t skip = base::Xxh64::of(candidate.identity, 1) % (size - 1) + 1;
    auto& row = permutation.emplace_back();
    for (uint64_t j = 0; j < size; ++j) row.push_back((offset + j * skip) % size);
  }
  std::vector<size_t> next(candidates.size(), 0);
  std::vector<int64_t> entry(size, -1);
  uint32_t filled = 0;
  while (true) {
    for (size_t i = 0; i < candidates.size(); ++i) {
      uint64_t c = permutation[i][next[i]];
      while (entry[c] >= 0) c = permutation[i][++next[i]];
      entry[c] = candidates[i].slot;
      ++next[i];
      if (++filled == size) return {entry.begin(), entry.end()};
    }
  }
}

TEST(MaglevTable, IsThatOfThePaper) {
  for (uint32_t size : {251u, 1'009u, 5'003u}) {
    for (size_t count : {1u, 2u, 3u, 10u, 100u, 251u}) {
      std::vector<HashCandidate> candidates = make_candidates(count);
      ASSERT_EQ(places(MaglevTable(candidates, size), size), populate(candidates, size)) << count << " in " << size;
    }
  }
}

TEST(MaglevTable, PlacesAreSharedByWeight) {
  base::Random random(1);
  std::vector<HashCandidate> candidates = make_candidates(40);
  uint64_t total = 0;
  for (HashCandidate& candidate : candidates) {
    candidate.weight = static_cast<uint32_t>(1 + random.below(256));
    total += candidate.weight;
  }
  MaglevTable table(candidates, kLarge);
  std::map<Slot, uint32_t> counts;
  for (Slot slot : places(table, kLarge)) ++counts[slot];
  for (const HashCandidate& candidate : candidates) {
    double expected = static_cast<double>(candidate.weight) * kLarge / static_cast<double>(total);
    EXPECT_NEAR(counts[candidate.slot], expected, 2 + expected * 0.01) << candidate.weight;
  }
}

TEST(MaglevTable, MostKeysStayWhenAServerGoes) {
  std::vector<HashCandidate> before = make_candidates(100);
  std::vector<HashCandidate> after = before;
  Slot gone = after[42].slot;
  after.erase(after.begin() + 42);
  std::vector<Slot> was = places(MaglevTable(before, kLarge), kLarge);
  std::vector<Slot> now = places(MaglevTable(after, kLarge), kLarge);
  int others_moved = 0;
  for (size_t i = 0; i < was.size(); ++i) others_moved += was[i] != gone && was[i] != now[i];
  // The paper's figure 12: some percent, for a table a hundred times as large as its servers are many.
  EXPECT_LT(others_moved, static_cast<int>(kLarge) / 20);
}

TEST(MaglevTable, HoldsAsManyAsItHasPlaces) {
  std::vector<HashCandidate> candidates = make_candidates(1'000);
  MaglevTable table(candidates, 251);
  std::map<Slot, int> counts;
  for (Slot slot : places(table, 251)) ++counts[slot];
  EXPECT_EQ(counts.size(), 251u);
  EXPECT_TRUE(MaglevTable({}, 251).empty());
}

}  // namespace
}  // namespace fairlead::config
