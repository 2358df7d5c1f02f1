#include "upstream/stick_table.h"

#include <gtest/gtest.h>

#include <latch>
#include <list>
#include <random>
#include <thread>
#include <vector>

namespace fairlead::upstream {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Target = StickTable::Target;

config::StickTableSettings settings(uint32_t entries, config::Duration expire = minutes(30)) {
  config::StickTableSettings settings;
  settings.max_entries = entries;
  settings.expire = expire;
  return settings;
}

runtime::TimePoint at(runtime::Duration since_start) { return runtime::TimePoint(since_start); }

TEST(StickTable, RemembersTheLastServer) {
  StickTable table;
  auto of = settings(100);
  EXPECT_EQ(table.find(1, at(seconds(0)), of), std::nullopt);
  table.put(1, {3, 30}, at(seconds(0)), of);
  table.put(2, {4, 40}, at(seconds(0)), of);
  EXPECT_EQ(table.find(1, at(seconds(1)), of), Target(3, 30));
  table.put(1, {5, 50}, at(seconds(2)), of);
  EXPECT_EQ(table.find(1, at(seconds(3)), of), Target(5, 50));
  EXPECT_EQ(table.find(2, at(seconds(3)), of), Target(4, 40));
  EXPECT_EQ(table.size(), 2u);
}

TEST(StickTable, ForgetsWhatIsNotUsed) {
  StickTable table;
  auto of = settings(100, seconds(10));
  table.put(1, {1, 1}, at(seconds(0)), of);
  EXPECT_TRUE(table.find(1, at(seconds(9)), of));
  EXPECT_TRUE(table.find(1, at(seconds(18)), of)) << "a look-up is a use";
  EXPECT_FALSE(table.find(1, at(seconds(28)), of));
  EXPECT_EQ(table.size(), 0u);
}

TEST(StickTable, WhoOnlyLooksUsesNothing) {
  StickTable table;
  auto of = settings(100, seconds(10));
  table.put(1, {1, 1}, at(seconds(0)), of);
  EXPECT_TRUE(table.find(1, at(seconds(9)), of, StickTable::Looking::kOnlyLooks));
  EXPECT_FALSE(table.find(1, at(seconds(11)), of));
}

TEST(StickTable, ClearsAwayWhatHasExpired) {
  StickTable table;
  auto of = settings(10'000, seconds(10));
  for (uint64_t key = 0; key < 1'000; ++key) table.put(key, {1, 1}, at(seconds(0)), of);
  for (uint64_t key = 10'000; key < 11'000; ++key) table.put(key, {1, 1}, at(seconds(20)), of);
  EXPECT_LE(table.size(), 1'050u);
}

TEST(StickTable, HasNoMoreThanItsLimit) {
  StickTable table;
  auto of = settings(1'600);
  for (uint64_t key = 0; key < 100'000; ++key) table.put(key, {1, 1}, at(seconds(0)), of);
  EXPECT_EQ(table.size(), 1'600u);
  of = settings(160);
  for (uint64_t key = 0; key < 10'000; ++key) table.put(key, {1, 1}, at(seconds(0)), of);
  EXPECT_EQ(table.size(), 160u) << "a lower limit holds from then on";
}

// Against a list in the order of use; one part is enough for that, so there is one key's part only.
TEST(StickTable, LosesWhatWasNotUsedForLongest) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  // Keys of one part: those that drive each other out of a table with one place for each part.
  StickTable probe;
  auto one = settings(1);
  std::vector<uint64_t> keys = {0};
  probe.put(0, {0, 1}, at(seconds(0)), one);
  for (uint64_t key = 1; keys.size() < 20; ++key) {
    probe.put(key, {0, 1}, at(seconds(0)), one);
    bool same_part = !probe.find(0, at(seconds(0)), one);
    if (same_part) keys.push_back(key);
    probe.put(0, {0, 1}, at(seconds(0)), one);
  }
  StickTable table;
  auto of = settings(8 * StickTable::kParts);
  std::list<uint64_t> recent;
  for (int step = 0; step < 20'000; ++step) {
    uint64_t key = keys[random() % keys.size()];
    auto known = std::ranges::find(recent, key);
    if (random() % 2 == 0) {
      ASSERT_EQ(table.find(key, at(seconds(1)), of).has_value(), known != recent.end());
      if (known == recent.end()) continue;
    } else {
      table.put(key, {0, key + 1}, at(seconds(1)), of);
    }
    if (known != recent.end()) recent.erase(known);
    recent.push_front(key);
    if (recent.size() > 8) recent.pop_back();
    ASSERT_EQ(table.size(), recent.size());
  }
}

TEST(StickTable, IsForSeveralThreads) {
  StickTable table;
  auto of = settings(64, seconds(3));
  std::latch start(3);
  auto work = [&](uint64_t number) {
    start.arrive_and_wait();
    for (uint64_t i = 0; i < 30'000; ++i) {
      uint64_t key = (i * 7 + number) % 200;
      auto now = at(std::chrono::milliseconds(i));
      if (auto found = table.find(key, now, of)) {
        ASSERT_EQ(found->uid, key);
      } else {
        table.put(key, {1, key}, now, of);
      }
    }
  };
  std::vector<std::jthread> threads;
  for (uint64_t number = 0; number < 3; ++number) threads.emplace_back(work, number);
  threads.clear();
  EXPECT_LE(table.size(), 64u);
}

}  // namespace
}  // namespace fairlead::upstream
