#include "session/election.h"

#include <gtest/gtest.h>

namespace fairlead::session {
namespace {

TEST(Election, WhoStartedLaterWinsAndAPersonsChoiceOverBoth) {
  const absl::Time now = absl::UnixEpoch() + absl::Hours(500000);
  const ElectionId older = election_id_of_start(now);
  const ElectionId newer = election_id_of_start(now + absl::Milliseconds(1));
  EXPECT_LT(older, newer);
  EXPECT_LT(newer, (ElectionId{.high = 1, .low = 0}));
  EXPECT_EQ(older.high, 0u);
  EXPECT_EQ(older.low, 1'800'000'000'000u);
}

TEST(Election, IsWrittenAsOneOrTwoNumbers) {
  for (const char* text : {"1", "1:0", "7:18446744073709551615"}) {
    const auto id = parse_election_id(text);
    ASSERT_TRUE(id.ok()) << text;
    EXPECT_EQ(to_string(*id), text);
  }
  EXPECT_EQ(to_string(*parse_election_id("0:4")), "4");
  for (const char* text : {"", "0", "0:0", ":", "1:", ":1", "1:2:3", "x", "-1", "18446744073709551616"}) {
    EXPECT_FALSE(parse_election_id(text).ok()) << text;
  }
}

}  // namespace
}  // namespace fairlead::session
