#include "base/slab.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "base/random.h"

namespace fairlead::base {
namespace {

constexpr size_t kSize = 152;
constexpr size_t kChunk = size_t{2} << 20;

TEST(Slab, ObjectsDoNotOverlapAndKeepTheirBytes) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Slab slab(kSize);
    // By address, with what was written there.
    std::map<unsigned char*, unsigned char> objects;
    for (int step = 0; step < 60'000; ++step) {
      if (objects.empty() || random.below(100) < (step < 40'000 ? 70 : 20)) {
        auto* object = static_cast<unsigned char*>(slab.allocate());
        auto after = objects.lower_bound(object);
        ASSERT_TRUE(after == objects.end() || object + kSize <= after->first);
        ASSERT_TRUE(after == objects.begin() || std::prev(after)->first + kSize <= object);
        auto mark = static_cast<unsigned char>(random.next());
        std::memset(object, mark, kSize);
        objects.emplace(object, mark);
      } else {
        auto at = objects.lower_bound(reinterpret_cast<unsigned char*>(random.next() % (uintptr_t{1} << 47)));
        if (at == objects.end()) at = objects.begin();
        ASSERT_TRUE(std::all_of(at->first, at->first + kSize, [&](unsigned char byte) { return byte == at->second; }));
        slab.release(at->first);
        objects.erase(at);
      }
    }
    for (auto& [object, mark] : objects) slab.release(object);
    EXPECT_EQ(slab.chunks(), 1u);
  }
}

TEST(Slab, ChunksGoWithTheirLastObject) {
  Slab slab(kSize);
  std::vector<void*> objects;
  for (size_t i = 0; i < 5 * kChunk / kSize; ++i) objects.push_back(slab.allocate());
  EXPECT_EQ(slab.chunks(), 6u) << "each has a head";
  std::ranges::reverse(objects);
  for (void* object : objects) slab.release(object);
  EXPECT_EQ(slab.chunks(), 1u);
  // One that comes and goes maps nothing, and stands where the last one did.
  std::set<void*> places;
  for (int i = 0; i < 1'000; ++i) {
    void* object = slab.allocate();
    places.insert(object);
    slab.release(object);
  }
  EXPECT_EQ(places.size(), 1u);
}

TEST(Slab, ThreadsReleaseWhatOthersAllocate) {
  Slab slab(64);
  std::vector<std::vector<void*>> objects(4);
  std::vector<std::thread> threads;
  for (auto& own : objects) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50'000; ++i) own.push_back(slab.allocate());
    });
  }
  for (auto& thread : threads) thread.join();
  threads.clear();
  std::set<void*> different;
  for (auto& own : objects) different.insert(own.begin(), own.end());
  EXPECT_EQ(different.size(), 200'000u);
  for (size_t i = 0; i < objects.size(); ++i) {
    threads.emplace_back([&, i] {
      for (void* object : objects[(i + 1) % objects.size()]) slab.release(object);
      for (int round = 0; round < 10'000; ++round) slab.release(slab.allocate());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(slab.chunks(), 1u);
}

}  // namespace
}  // namespace fairlead::base
