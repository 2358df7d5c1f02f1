#include "scaling/change_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace fairlead::scaling {
namespace {

constexpr int kAny = std::numeric_limits<int>::max();
const absl::Time kStart = absl::FromUnixSeconds(1000);

TEST(ChangeLimit, IsReadAndWritten) {
  struct Case {
    const char* text;
    ChangeLimit limit;
  };
  const Case cases[] = {
      {"none", {}},
      {"4/15s", {4, std::nullopt, absl::Seconds(15)}},
      {"100%/15s", {std::nullopt, 100, absl::Seconds(15)}},
      {"4,100%/1m", {4, 100, absl::Minutes(1)}},
      {"1,2.5%/500ms", {1, 2.5, absl::Milliseconds(500)}},
  };
  for (const Case& c : cases) {
    const auto limit = parse_change_limit(c.text);
    ASSERT_TRUE(limit.ok()) << limit.status();
    EXPECT_EQ(*limit, c.limit) << c.text;
    EXPECT_EQ(format_change_limit(*limit), c.text);
  }
}

TEST(ChangeLimit, WrongTextsSayWhatIsRight) {
  for (const char* text : {"", "4", "/15s", "4/", "0/15s", "-1/15s", "x/15s", "4,5/15s", "1%,2%/15s", "0%/15s",
                           "nan%/15s", "4/0s", "4/-1s", "4/25h", "4/15", "4/15s/2"}) {
    const auto limit = parse_change_limit(text);
    ASSERT_FALSE(limit.ok()) << text;
    EXPECT_THAT(std::string(limit.status().message()), testing::HasSubstr("\"4,100%/15s\"")) << text;
  }
}

TEST(ChangeLimit, MostAllowed) {
  struct Case {
    const char* limit;
    int servers, recent, most;
  };
  const Case cases[] = {
      {"none", 3, 100, kAny},
      {"4/15s", 3, 0, 7},
      {"4/15s", 5, 2, 7},
      {"4/15s", 7, 4, 7},
      {"100%/15s", 3, 0, 6},
      {"100%/15s", 6, 3, 6},
      {"10%/15s", 1, 0, 2},
      {"10%/15s", 20, 0, 22},
      {"4,100%/15s", 1, 0, 5},
      {"4,100%/15s", 9, 0, 18},
      {"4,100%/15s", 5, 4, 5},
      {"4/15s", 2, 9, 4},
      // Never below what is there: a limit does not take away.
      {"1/15s", 9, 5, 9},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(most_allowed(*parse_change_limit(c.limit), c.servers, c.recent), c.most)
        << c.limit << " " << c.servers << " " << c.recent;
  }
}

TEST(ChangeLimit, LeastAllowed) {
  struct Case {
    const char* limit;
    int servers, recent, least;
  };
  const Case cases[] = {
      {"none", 30, 100, 0}, {"4/15s", 30, 0, 26},    {"4/15s", 28, 2, 26},    {"4/15s", 26, 4, 26},
      {"4/15s", 3, 0, 0},   {"100%/15s", 30, 0, 0},  {"50%/15s", 10, 0, 5},   {"50%/15s", 5, 5, 5},
      {"10%/15s", 4, 0, 3}, {"10%/15s", 100, 0, 90}, {"1,50%/15s", 10, 0, 5}, {"7,50%/15s", 10, 0, 3},
      {"1/15s", 5, 4, 5},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(least_allowed(*parse_change_limit(c.limit), c.servers, c.recent), c.least)
        << c.limit << " " << c.servers << " " << c.recent;
  }
}

TEST(ChangeHistory, ForgetsAfterOnePeriod) {
  ChangeHistory history(absl::Seconds(10));
  history.add(kStart, 2);
  history.add(kStart + absl::Seconds(5), 3);
  EXPECT_EQ(history.recent(kStart + absl::Seconds(9)), 5);
  EXPECT_EQ(history.recent(kStart + absl::Seconds(10)), 3);
  EXPECT_EQ(history.recent(kStart + absl::Seconds(15)), 0);
}

}  // namespace
}  // namespace fairlead::scaling
