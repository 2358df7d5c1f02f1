#include "base/slot_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace fairlead::base {
namespace {

// Counts itself. No node is without a value, so a node that leaks leaks one of these.
class Counted {
 public:
  Counted(int number = 0) : number_(number) { ++live; }
  Counted(const Counted& other) : number_(other.number_) { ++live; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --live; }
  int number() const { return number_; }

  static inline int live = 0;

 private:
  int number_;
};

using Map = SlotMap<Counted>;
using Model = std::map<uint32_t, int>;

Model content_of(const Map& map) {
  Model content;
  map.for_each([&](uint32_t slot, const Counted& value) { content[slot] = value.number(); });
  return content;
}

std::set<const void*> nodes_of(const auto& map) {
  std::set<const void*> nodes;
  map.for_each_node([&](const void* node) { nodes.insert(node); });
  return nodes;
}

void expect_same(const Map& map, const Model& model) {
  ASSERT_EQ(map.size(), model.size());
  ASSERT_EQ(map.empty(), model.empty());
  ASSERT_EQ(content_of(map), model);
  uint32_t rank = 0;
  for (const auto& [slot, number] : model) {
    ASSERT_NE(map.find(slot), nullptr) << slot;
    ASSERT_EQ(map.find(slot)->number(), number);
    uint32_t found = 0;
    ASSERT_EQ(map.nth(rank++, found), map.find(slot));
    ASSERT_EQ(found, slot);
  }
  uint32_t untouched = 7;
  ASSERT_EQ(map.nth(rank, untouched), nullptr);
  ASSERT_EQ(untouched, 7u);
  if (!model.empty()) {
    ASSERT_EQ(map.last(), model.rbegin()->first);
  }
}

void expect_next_from(const Map& map, const Model& model, uint32_t slot) {
  auto expected = model.lower_bound(slot);
  uint32_t found = 0;
  const Counted* value = map.next_from(slot, found);
  if (expected == model.end()) {
    ASSERT_EQ(value, nullptr) << slot;
    return;
  }
  ASSERT_NE(value, nullptr) << slot;
  ASSERT_EQ(found, expected->first);
  ASSERT_EQ(value->number(), expected->second);
}

TEST(SlotMap, IsEmptyAtFirst) {
  Map map;
  uint32_t found = 0;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.find(0), nullptr);
  EXPECT_EQ(map.next_from(0, found), nullptr);
  EXPECT_EQ(map.nth(0, found), nullptr);
  EXPECT_FALSE(map.erase(0));
}

TEST(SlotMap, HoldsTheGreatestSlotAndShrinksWhenItGoes) {
  Map map;
  map.set(3, 1);
  map.set(UINT32_MAX, 2);
  EXPECT_EQ(map.find(UINT32_MAX)->number(), 2);
  uint32_t found = 0;
  EXPECT_EQ(map.next_from(4, found)->number(), 2);
  EXPECT_EQ(found, UINT32_MAX);
  EXPECT_EQ(nodes_of(map).size(), 13u);  // the root, and six on each way
  EXPECT_TRUE(map.erase(UINT32_MAX));
  EXPECT_EQ(nodes_of(map).size(), 1u);
  EXPECT_EQ(map.find(3)->number(), 1);
}

TEST(SlotMap, TakesKeysOf64Bits) {
  SlotMap<Counted, uint64_t> map;
  std::map<uint64_t, int> model;
  std::mt19937_64 random(1);
  for (int i = 0; i < 5'000; ++i) {
    uint64_t key = random() >> random() % 64;
    if (i % 3 == 2) {
      auto at = model.lower_bound(key);
      if (at == model.end()) continue;
      ASSERT_TRUE(map.erase(at->first));
      model.erase(at);
    } else {
      map.set(key, i);
      model[key] = i;
    }
    ASSERT_EQ(map.size(), model.size());
    uint64_t probe = random() >> random() % 64;
    auto expected = model.lower_bound(probe);
    uint64_t found = 0;
    const Counted* value = map.next_from(probe, found);
    ASSERT_EQ(value != nullptr, expected != model.end());
    if (value) {
      ASSERT_EQ(found, expected->first);
      ASSERT_EQ(value->number(), expected->second);
      ASSERT_EQ(map.find(found), value);
    }
  }
  map.set(UINT64_MAX, 7);
  uint64_t found = 0;
  EXPECT_EQ(map.next_from(UINT64_MAX, found)->number(), 7);
  EXPECT_EQ(found, UINT64_MAX);
  std::map<uint64_t, int> content;
  map.for_each([&](uint64_t key, const Counted& value) { content[key] = value.number(); });
  model[UINT64_MAX] = 7;
  EXPECT_EQ(content, model);
}

// Slots of very different sizes, mostly close to each other.
uint32_t draw_slot(std::mt19937& random) {
  unsigned bits = std::array{4, 6, 9, 11, 16, 32}[random() % 6];
  return static_cast<uint32_t>(random() & ((uint64_t{1} << bits) - 1));
}

struct Shared : RefCounted {
  explicit Shared(int n) : number(n) {}
  int number;
};

// Where a null reference stands, nothing does.
TEST(SlotMap, FindsReferences) {
  std::mt19937 random(6);
  SlotMap<Ref<const Shared>> map;
  Model model;
  for (int i = 0; i < 20'000; ++i) {
    uint32_t slot = draw_slot(random);
    if (i % 3 == 2) {
      ASSERT_EQ(map.erase(slot), model.erase(slot) == 1);
    } else {
      map.set(slot, Ref<const Shared>(new Shared(i)));
      model[slot] = i;
    }
    uint32_t probe = draw_slot(random);
    const Ref<const Shared>* found = map.find(probe);
    auto expected = model.find(probe);
    ASSERT_EQ(found != nullptr, expected != model.end()) << probe;
    if (found) {
      ASSERT_EQ((*found)->number, expected->second);
    }
  }
}

// Values have as many places as they are worth.
TEST(SlotMap, FindsWhoHasAPlace) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    SlotMap<uint16_t, uint32_t, ByValue> map;
    Model model;
    for (int step = 0; step < 3'000; ++step) {
      const uint32_t slot = seed % 2 == 0 ? draw_slot(random) : random() % 3'000;
      if (random() % 3 == 0) {
        ASSERT_EQ(map.erase(slot), model.erase(slot) == 1);
      } else {
        const int value = 1 + static_cast<int>(random() % 256);
        map.set(slot, static_cast<uint16_t>(value));
        model[slot] = value;
      }
      const auto shared = map;  // so that the next change copies
      if (step % 100 != 99) continue;
      uint64_t begin = 0;
      for (const auto& [at, value] : model) {
        for (uint64_t within : {uint64_t{0}, uint64_t{random() % value}, static_cast<uint64_t>(value) - 1}) {
          uint32_t found = 0;
          uint64_t its = 0;
          ASSERT_EQ(shared.at_place(begin + within, found, its), value);
          ASSERT_EQ(found, at);
          ASSERT_EQ(its, within);
        }
        begin += value;
      }
      ASSERT_EQ(map.sum(), begin);
    }
    while (!model.empty()) {
      ASSERT_TRUE(map.erase(model.begin()->first));
      model.erase(model.begin());
    }
    ASSERT_TRUE(map.empty());
    ASSERT_EQ(map.sum(), 0u);
  }
}

TEST(SlotMap, ChangesAValueInPlaceAndNotInCopies) {
  Map map;
  for (int i = 0; i < 3'000; ++i) map.set(i, i);
  const void* before = map.find(2'000);
  map.change(2'000) = 7;
  EXPECT_EQ(map.find(2'000), before);
  const Map copy = map;
  map.change(2'000) = 8;
  EXPECT_EQ(copy.find(2'000)->number(), 7);
  EXPECT_EQ(map.find(2'000)->number(), 8);
  EXPECT_EQ(map.size(), 3'000u);
}

TEST(SlotMap, AMovedFromMapIsEmptyAndUsable) {
  Map map;
  map.set(5000, 1);
  Map taken = std::move(map);
  map = Map();
  EXPECT_TRUE(map.empty());
  map.set(1, 2);
  EXPECT_EQ(content_of(map), (Model{{1, 2}}));
  EXPECT_EQ(content_of(taken), (Model{{5000, 1}}));
}

class RandomOperations : public testing::TestWithParam<unsigned> {};

void change_at_random(std::mt19937& random, Map& map, Model& model) {
  bool mostly_erase = random() % 2 == 0;
  for (int i = 0; i < 60; ++i) {
    uint32_t slot = draw_slot(random);
    if (mostly_erase && !model.empty() && random() % 4 != 0) {
      auto at = model.lower_bound(slot);
      if (at == model.end()) at = model.begin();
      ASSERT_TRUE(map.erase(at->first));
      model.erase(at);
    } else if (random() % 8 == 0) {
      ASSERT_EQ(map.erase(slot), model.erase(slot) == 1);
    } else {
      int number = static_cast<int>(random() % 1000);
      map.set(slot, number);
      model[slot] = number;
    }
  }
}

TEST_P(RandomOperations, AgreeWithStdMapAndLeaveOldVersionsAlone) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  {
    std::mt19937 random(GetParam());
    Map map;
    Model model;
    std::vector<std::pair<Map, Model>> versions;
    for (int round = 0; round < 60; ++round) {
      ASSERT_NO_FATAL_FAILURE(change_at_random(random, map, model));
      ASSERT_NO_FATAL_FAILURE(expect_same(map, model));
      for (int i = 0; i < 40; ++i) ASSERT_NO_FATAL_FAILURE(expect_next_from(map, model, draw_slot(random)));
      if (random() % 2 == 0) versions.emplace_back(map, model);
      if (versions.size() > 5) versions.erase(versions.begin() + random() % versions.size());
      // Sometimes goes on from an old version.
      if (!versions.empty() && random() % 8 == 0) std::tie(map, model) = versions[random() % versions.size()];
    }
    for (const auto& [old_map, old_model] : versions) ASSERT_NO_FATAL_FAILURE(expect_same(old_map, old_model));
  }
  EXPECT_EQ(Counted::live, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOperations, testing::Range(1u, 13u));

TEST(SlotMap, LooksTheSameHoweverItCameAbout) {
  std::mt19937 random(4);
  for (int round = 0; round < 20; ++round) {
    Map map;
    Model model;
    for (int i = 0; i < 10; ++i) ASSERT_NO_FATAL_FAILURE(change_at_random(random, map, model));
    Map rebuilt;
    for (const auto& [slot, number] : model) rebuilt.set(slot, number);
    EXPECT_EQ(nodes_of(map).size(), nodes_of(rebuilt).size());
    EXPECT_EQ(content_of(map), content_of(rebuilt));
  }
}

TEST(SlotMap, AChangeCopiesOnlyItsWay) {
  SlotMap<uint32_t> map;
  for (uint32_t slot = 0; slot < 100'000; ++slot) map.set(slot, slot);
  std::mt19937 random(5);
  for (int i = 0; i < 20; ++i) {
    SlotMap<uint32_t> before = map;
    auto nodes_before = nodes_of(before);
    uint32_t slot = random() % 110'000;
    if (i % 2 == 0) {
      map.set(slot, 1);
    } else {
      map.erase(slot);
    }
    int fresh = 0;
    for (const void* node : nodes_of(map)) fresh += !nodes_before.contains(node);
    EXPECT_LE(fresh, 4) << slot;  // 32^4 > 110,000
  }
}

TEST(SlotMap, ChangesInPlaceWhatNobodyElseRefersTo) {
  SlotMap<uint32_t> map;
  for (uint32_t slot = 0; slot < 10'000; ++slot) map.set(slot, slot);
  auto before = nodes_of(map);
  for (uint32_t slot = 0; slot < 10'000; ++slot) map.set(slot, 1);
  EXPECT_EQ(nodes_of(map), before);
  EXPECT_LE(before.size(), 10'000 / 32 + 10'000 / 1024 + 4);
}

// For the thread sanitizer: readers of a shared version, while its nodes are copied and let go of.
TEST(SlotMap, IsReadWhileAnotherThreadChangesItsOwnCopy) {
  SlotMap<uint32_t> shared;
  for (uint32_t slot = 0; slot < 5'000; ++slot) shared.set(slot, slot);
  auto read = [&shared] {
    for (int round = 0; round < 20; ++round) {
      SlotMap<uint32_t> mine = shared;
      uint64_t sum = 0;
      mine.for_each([&](uint32_t, uint32_t value) { sum += value; });
      EXPECT_EQ(sum, 5'000u * 4'999u / 2);
    }
  };
  SlotMap<uint32_t> changed = shared;
  std::thread first(read);
  std::thread second(read);
  for (uint32_t slot = 0; slot < 5'000; ++slot) changed.set(slot, 1), changed.erase(slot / 2);
  first.join();
  second.join();
  EXPECT_EQ(shared.size(), 5'000u);
}

}  // namespace
}  // namespace fairlead::base
