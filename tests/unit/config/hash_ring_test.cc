#include "config/hash_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/md5.h"
#include "base/random.h"

namespace fairlead::config {
namespace {

std::string hex(base::Md5::Words words) {
  std::string text;
  for (uint32_t word : words) {
    for (int byte = 0; byte < 4; ++byte) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      text += kDigits[word >> (byte * 8 + 4) & 0xf];
      text += kDigits[word >> byte * 8 & 0xf];
    }
  }
  return text;
}

// libketama's own test (ketama_test.c and test.sh): where a million keys are among eight servers, by the MD5 of all
// that it prints.
TEST(HashRing, IsThatOfLibketama) {
  // There the weights are 600, 300 ... 100: what counts is their proportion.
  constexpr uint32_t kWeights[] = {12, 6, 4, 7, 20, 16, 19, 2};
  std::vector<HashCandidate> candidates;
  for (Slot slot = 0; slot < 8; ++slot) {
    candidates.push_back({"10.0.1." + std::to_string(slot + 1) + ":11211", slot, kWeights[slot]});
  }
  HashRing ring(candidates);
  base::Md5 printed;
  printed.add("\n");
  for (int key = 0; key < 1'000'000; ++key) {
    uint32_t hash = base::Md5::of(std::to_string(key))[0];
    const HashRing::Point& point = ring.point(ring.find(hash));
    printed.add(std::to_string(hash) + " " + std::to_string(point.position) + " " + candidates[point.slot].identity +
                "\n");
  }
  EXPECT_EQ(hex(printed.words()), "5672b131391f5aa2b280936aec1eea74");
}

std::vector<HashCandidate> draw_candidates(base::Random& random, size_t count) {
  std::vector<HashCandidate> candidates;
  for (size_t i = 0; i < count; ++i) {
    candidates.push_back({"10.0.0." + std::to_string(i) + ":80", static_cast<Slot>(i * 3),
                          static_cast<uint32_t>(1 + random.below(random.below(2) == 0 ? 3 : 256))});
  }
  std::ranges::sort(candidates, {}, &HashCandidate::identity);
  return candidates;
}

// The nearest point at or behind, found by looking at all.
TEST(HashRing, APositionBelongsToTheNextPoint) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    HashRing ring(draw_candidates(random, 1 + random.below(20)));
    for (int i = 0; i < 200; ++i) {
      auto position = static_cast<uint32_t>(random.next());
      if (i % 3 == 0) position = ring.point(random.below(ring.size())).position;
      uint32_t least = UINT32_MAX;
      for (size_t point = 0; point < ring.size(); ++point) {
        least = std::min(least, ring.point(point).position - position);  // around the end
      }
      ASSERT_EQ(ring.point(ring.find(position)).position - position, least);
    }
    ASSERT_EQ(ring.find(UINT32_MAX), ring.point(ring.size() - 1).position == UINT32_MAX ? ring.size() - 1 : 0);
  }
}

TEST(HashRing, EverybodyHasPointsByItsWeight) {
  std::vector<HashCandidate> candidates = {{"a", 0, 1}, {"b", 1, 256}, {"c", 2, 128}};
  HashRing ring(candidates);
  std::map<Slot, int> points;
  for (size_t i = 0; i < ring.size(); ++i) ++points[ring.point(i).slot];
  EXPECT_EQ(points[0], 4) << "ketama would have none";
  EXPECT_EQ(points[1], 4 * 79);
  EXPECT_EQ(points[2], 4 * 39);
  EXPECT_TRUE(HashRing({}).empty());
}

TEST(HashRing, HasALimit) {
  std::vector<HashCandidate> candidates;
  for (Slot slot = 0; slot < 60'000; ++slot) candidates.push_back({std::to_string(slot), slot, 1});
  HashRing ring(candidates);
  EXPECT_LE(ring.size(), HashRing::kDigestsMax * 4);
  EXPECT_GE(ring.size(), HashRing::kDigestsMax * 4 * 9 / 10);
  std::set<Slot> present;
  for (size_t i = 0; i < ring.size(); ++i) present.insert(ring.point(i).slot);
  EXPECT_EQ(present.size(), candidates.size());
}

// Few keys move, and hardly any that need not.
TEST(HashRing, MostKeysStayWhenAServerGoes) {
  base::Random random(1);
  std::vector<HashCandidate> before = draw_candidates(random, 20);
  for (HashCandidate& candidate : before) candidate.weight = 1;
  std::vector<HashCandidate> after = before;
  Slot gone = after[7].slot;
  after.erase(after.begin() + 7);
  HashRing ring(before);
  HashRing smaller(after);
  int others_moved = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto position = static_cast<uint32_t>(random.next());
    Slot was = ring.point(ring.find(position)).slot;
    Slot now = smaller.point(smaller.find(position)).slot;
    others_moved += was != gone && was != now;
  }
  EXPECT_LT(others_moved, 20'000 / 20) << "39 or 40 digests, as single precision has it";
}

}  // namespace
}  // namespace fairlead::config
