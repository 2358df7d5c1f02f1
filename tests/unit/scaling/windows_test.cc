#include "scaling/windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "scaling/load_book.h"

namespace fairlead::scaling {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

absl::Time at(double seconds) { return kStart + absl::Seconds(seconds); }

TEST(AverageWindow, AveragesWhatIsYoung) {
  AverageWindow window(absl::Seconds(3));
  EXPECT_EQ(window.average(at(0)), std::nullopt);
  window.add(at(0), 10);
  window.add(at(1), 20);
  window.add(at(2), 60);
  EXPECT_EQ(window.average(at(2)), 30);
  EXPECT_EQ(window.average(at(3)), 40);
  EXPECT_EQ(window.average(at(4.5)), 60);
  EXPECT_EQ(window.average(at(5)), std::nullopt);
}

TEST(HighestWindow, IsTheHighestOfAllThatAreYoungEnough) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  HighestWindow window(absl::Seconds(10));
  std::vector<std::pair<absl::Time, int>> all;
  absl::Time now = kStart;
  for (int i = 0; i < 5000; ++i) {
    now += absl::Seconds(std::uniform_real_distribution(0.0, 3.0)(random));
    all.emplace_back(now, std::uniform_int_distribution(0, 50)(random));
    window.add(now, all.back().second);
    int highest = 0;
    for (const auto& [time, value] : all) {
      if (time + absl::Seconds(10) >= now) highest = std::max(highest, value);
    }
    ASSERT_EQ(window.highest(now), highest) << "after " << i;
  }
}

class LoadBookTest : public testing::Test {
 protected:
  LoadBook book_{{.window = absl::Seconds(2), .memory = absl::Seconds(10)}, 2};
};

TEST_F(LoadBookTest, KnowsNothingAtFirst) { EXPECT_EQ(book_.total(at(0)), std::nullopt); }

TEST_F(LoadBookTest, SumsTheAveragesOfTheDataPlanes) {
  book_.add(0, at(0), 10, {{"s1", 4}, {"s2", 6}});
  book_.add(0, at(1), 20, {{"s1", 14}, {"s2", 6}});
  book_.add(1, at(1), 100, {{"s2", 50}});
  EXPECT_EQ(book_.total(at(1)), 115);
  EXPECT_EQ(book_.of_server("s1"), 14u);
  EXPECT_EQ(book_.of_server("s2"), 56u);
  EXPECT_EQ(book_.of_server("s3"), 0u);
}

TEST_F(LoadBookTest, ADataPlaneThatGoesSilentCountsWithItsLastAverageForAWhile) {
  book_.add(0, at(0), 10, {});
  book_.add(1, at(0), 100, {});
  book_.add(0, at(9), 12, {});
  EXPECT_EQ(book_.total(at(10)), 112);
  EXPECT_EQ(book_.total(at(10.1)), 12);
  EXPECT_EQ(book_.total(at(30)), std::nullopt);
}

}  // namespace
}  // namespace fairlead::scaling
