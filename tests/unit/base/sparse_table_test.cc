#include "base/sparse_table.h"

#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace fairlead::base {
namespace {

std::vector<int> content(const SparseTable<int>& table) {
  std::vector<int> result;
  table.for_each([&](int object) { result.push_back(object); });
  return result;
}

TEST(SparseTableTest, HoldsWhatWasPutAtItsNumber) {
  SparseTable<int> table;
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(table.put(1'000'000, std::make_unique<int>(7)), 7);
  EXPECT_EQ(*table.find(1'000'000), 7);
  EXPECT_EQ(table.find(999'999), nullptr);
  EXPECT_EQ(table.find(UINT32_MAX), nullptr);
}

TEST(SparseTableTest, GivesBackWhatIsTaken) {
  SparseTable<int> table;
  int& first = table.put(5, std::make_unique<int>(5));
  EXPECT_EQ(table.take(5).get(), &first);
  EXPECT_EQ(table.find(5), nullptr);
  table.put(5, std::make_unique<int>(6));
  EXPECT_EQ(*table.find(5), 6);
}

TEST(SparseTableTest, IsLikeAMap) {
  uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  SparseTable<int> table;
  std::map<uint32_t, int> reference;
  for (int step = 0; step < 20'000; ++step) {
    uint32_t number = random() % 1000 * (random() % 2 ? 1 : 997);
    if (reference.erase(number) > 0) {
      table.take(number);
    } else {
      reference.emplace(number, step);
      table.put(number, std::make_unique<int>(step));
    }
    uint32_t other = random() % 1000;
    auto expected = reference.find(other);
    int* found = table.find(other);
    ASSERT_EQ(found != nullptr, expected != reference.end());
    if (found) {
      ASSERT_EQ(*found, expected->second);
    }
  }
  std::vector<int> expected;
  for (const auto& [number, object] : reference) expected.push_back(object);
  EXPECT_EQ(content(table), expected);
}

}  // namespace
}  // namespace fairlead::base
