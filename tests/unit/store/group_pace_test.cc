#include "store/group_pace.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "store/inbox.h"

namespace fairlead::store {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using TimePoint = GroupPace::Clock::time_point;

constexpr TimePoint kStart{std::chrono::hours(1)};

// Transactions that come `gap` apart, whether or not there are answers, each of the same session.
struct Stream {
  microseconds gap;
  GroupPace pace{};

  // How many groups there are within this time, and the longest that anybody waited.
  struct Outcome {
    int groups = 0;
    GroupPace::Clock::duration longest{};
  };
  Outcome run(GroupPace::Clock::duration length) {
    Outcome outcome;
    TimePoint next = kStart;
    while (next < kStart + length) {
      const TimePoint first = next;
      const TimePoint due = pace.due(first);
      int transactions = 0;
      for (; next <= due; next += gap) ++transactions;
      pace.committed(due, transactions > 1);
      ++outcome.groups;
      outcome.longest = std::max(outcome.longest, due - first);
    }
    return outcome;
  }
};

TEST(GroupPace, WhoSendsSeldomNeverWaits) {
  Stream::Outcome outcome = Stream{.gap = GroupPace::kInterval}.run(std::chrono::seconds(10));
  EXPECT_EQ(outcome.longest, milliseconds(0));
  EXPECT_EQ(outcome.groups, std::chrono::seconds(10) / GroupPace::kInterval);
}

TEST(GroupPace, WhoSendsOftenSharesGroups) {
  for (microseconds gap : {microseconds(1500), microseconds(1000), microseconds(100), microseconds(10)}) {
    SCOPED_TRACE(gap.count());
    Stream::Outcome outcome = Stream{.gap = gap}.run(std::chrono::seconds(10));
    EXPECT_LE(outcome.groups, std::chrono::seconds(10) / GroupPace::kInterval + 1);
    EXPECT_LE(outcome.longest, GroupPace::kInterval);
  }
}

// Each transaction is sent when the one before it has been answered, at once.
TEST(GroupPace, WhoWaitsForEachAnswerIsHardlyHeldUp) {
  GroupPace pace;
  GroupPace::Clock::duration waited{};
  TimePoint now = kStart;
  constexpr int kGroups = 10'000;
  constexpr microseconds kAnswer(500);
  for (int i = 0; i < kGroups; ++i) {
    const TimePoint due = pace.due(now);
    waited += due - now;
    pace.committed(due, false);
    now = due + kAnswer;
  }
  EXPECT_GT(waited, milliseconds(0));
  EXPECT_LT(waited, kGroups * kAnswer / 50);
}

TEST(GroupPace, WaitsAgainWhenSomebodySendsOn) {
  GroupPace pace;
  TimePoint now = kStart;
  auto next_group = [&](bool is_pipelined) {
    const TimePoint due = pace.due(now);
    const bool waits = due > now;
    pace.committed(due, is_pipelined);
    now = due + microseconds(100);
    return waits;
  };
  EXPECT_FALSE(next_group(true));
  EXPECT_TRUE(next_group(false));
  for (int i = 0; i < GroupPace::kFewest; ++i) EXPECT_FALSE(next_group(true)) << i;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(next_group(true)) << i;
  // And has forgotten that it once waited for nobody.
  EXPECT_TRUE(next_group(false));
  for (int i = 0; i < GroupPace::kFewest; ++i) EXPECT_FALSE(next_group(false)) << i;
  EXPECT_TRUE(next_group(false));
  for (int i = 0; i < 2 * GroupPace::kFewest; ++i) EXPECT_FALSE(next_group(false)) << i;
}

Inbox::Task no_task() {
  return [] {};
}
constexpr std::chrono::hours kLong(1);

void post(Inbox& inbox) {
  Inbox::Task task = no_task();
  ASSERT_EQ(inbox.post(task), Inbox::Posted::kYes);
}

TEST(Inbox, ARequestWaitsWhereOthersAreExpected) {
  Inbox inbox(100);
  post(inbox);
  EXPECT_EQ(inbox.take_later(GroupPace::Clock::now() + milliseconds(1)).size(), 1u);
  EXPECT_EQ(inbox.take_later(GroupPace::Clock::now()).size(), 0u);
}

TEST(Inbox, AFactDoesNot) {
  Inbox inbox(100);
  std::thread other([&] {
    post(inbox);
    inbox.post_fact(no_task());
  });
  // (It may be that the request comes first: then it waits for the fact.)
  EXPECT_EQ(inbox.take_later(GroupPace::Clock::now() + kLong).size(), 2u);
  other.join();
  post(inbox);
  EXPECT_EQ(inbox.take().size(), 1u);
}

TEST(Inbox, ManyRequestsDoNotEither) {
  Inbox inbox(100);
  std::thread other([&] {
    for (int i = 0; i < 40; ++i) post(inbox);
  });
  size_t taken = inbox.take_later(GroupPace::Clock::now() + kLong).size();
  other.join();
  EXPECT_GE(taken, 32u);
  if (taken < 40) {
    EXPECT_EQ(taken + inbox.take().size(), 40u);
  }
}

TEST(Inbox, NobodyWaitsForAClosedOne) {
  Inbox inbox(100);
  std::thread other([&] { inbox.close(); });
  EXPECT_TRUE(inbox.take_later(GroupPace::Clock::now() + kLong).empty());
  other.join();
  inbox.post_fact(no_task());
  EXPECT_EQ(inbox.take_until(GroupPace::Clock::now() + kLong).size(), 1u);
}

}  // namespace
}  // namespace fairlead::store
