#include "base/slot_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace fairlead::base {
namespace {

void expect_same(const SlotSet& set, const std::set<uint32_t>& model, std::mt19937& random) {
  ASSERT_EQ(set.size(), model.size());
  ASSERT_EQ(set.empty(), model.empty());
  std::vector<uint32_t> content;
  set.for_each([&](uint32_t slot) { content.push_back(slot); });
  ASSERT_EQ(content, std::vector<uint32_t>(model.begin(), model.end()));
  for (uint32_t rank = 0; rank < content.size(); ++rank) ASSERT_EQ(set.nth(rank), content[rank]);
  if (!model.empty()) ASSERT_EQ(set.last(), *model.rbegin());
  for (int i = 0; i < 100; ++i) {
    const auto slot = static_cast<uint32_t>(random() >> random() % 32);
    ASSERT_EQ(set.contains(slot), model.contains(slot));
    uint32_t found = 7;
    const auto expected = model.lower_bound(slot);
    ASSERT_EQ(set.next_from(slot, found), expected != model.end()) << slot;
    ASSERT_EQ(found, expected != model.end() ? *expected : 7) << slot;
  }
}

TEST(SlotSet, IsAsAPlainSet) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    SlotSet set;
    std::set<uint32_t> model;
    const unsigned bits = 6 + 3 * (seed % 9);
    for (int step = 0; step < 4'000; ++step) {
      const bool shrinks = step / 500 % 2 == 1;
      uint32_t slot = random() & ((uint64_t{1} << bits) - 1);
      if (shrinks && !model.empty()) {
        const auto at = model.lower_bound(slot);
        slot = at == model.end() ? *model.begin() : *at;
      }
      if (random() % 4 < (shrinks ? 3u : 1u)) {
        ASSERT_EQ(set.erase(slot), model.erase(slot) == 1);
      } else {
        ASSERT_EQ(set.insert(slot), model.insert(slot).second);
      }
      if (step % 250 == 0) ASSERT_NO_FATAL_FAILURE(expect_same(set, model, random));
    }
    // Copies are as they were.
    const SlotSet copy = set;
    for (uint32_t slot : std::vector<uint32_t>(model.begin(), model.end())) ASSERT_TRUE(set.erase(slot));
    ASSERT_TRUE(set.empty());
    ASSERT_NO_FATAL_FAILURE(expect_same(copy, model, random));
  }
}

TEST(SlotSet, HoldsTheGreatestSlot) {
  SlotSet set;
  EXPECT_TRUE(set.insert(UINT32_MAX));
  EXPECT_TRUE(set.insert(0));
  uint32_t found = 0;
  EXPECT_TRUE(set.next_from(1, found));
  EXPECT_EQ(found, UINT32_MAX);
  EXPECT_EQ(set.last(), UINT32_MAX);
  EXPECT_EQ(set.nth(1), UINT32_MAX);
}

}  // namespace
}  // namespace fairlead::base
