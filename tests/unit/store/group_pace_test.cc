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
      TimePoint due = pace.begin(first);
      int transactions = 1;
      for (next += gap; next <= due; next += gap) {
        ++transactions;
        due = std::max(due, pace.go_on(next));
      }
      pace.committed(due, transactions > 1);
      ++outcome.groups;
      outcome.longest = std::max(outcome.longest, due - first);
    }
    return outcome;
  }
};

TEST(GroupPace, WhoSendsSeldomNeverWaits) {
  constexpr int kGroups = 500;
  Stream::Outcome outcome = Stream{.gap = GroupPace::kInterval}.run(kGroups * GroupPace::kInterval);
  EXPECT_EQ(outcome.longest, milliseconds(0));
  EXPECT_EQ(outcome.groups, kGroups);
}

// Nobody knows of it before a group has been made to wait.
TEST(GroupPace, WhoSendsOftenSharesGroups) {
  for (microseconds gap : {microseconds(1500), microseconds(1000), microseconds(100), microseconds(10)}) {
    SCOPED_TRACE(gap.count());
    Stream::Outcome outcome = Stream{.gap = gap}.run(std::chrono::seconds(10));
    EXPECT_LE(outcome.groups, std::chrono::seconds(10) / GroupPace::kInterval + GroupPace::kFewest + 1);
    EXPECT_LE(outcome.longest, GroupPace::kInterval);
  }
}

// Groups of one transaction, each of which begins `gap` after the one before it is committed.
GroupPace::Clock::duration waited_by(GroupPace pace, GroupPace::Clock::duration gap, int groups) {
  GroupPace::Clock::duration waited{};
  TimePoint now = kStart;
  for (int i = 0; i < groups; ++i) {
    const TimePoint due = pace.begin(now);
    waited += due - now;
    pace.committed(due, false);
    now = due + gap;
  }
  return waited;
}

TEST(GroupPace, WhoWaitsForEachAnswerIsHardlyHeldUp) {
  constexpr int kGroups = 10'000;
  constexpr microseconds kAnswer(500);
  GroupPace::Clock::duration waited = waited_by({}, kAnswer, kGroups);
  EXPECT_GT(waited, milliseconds(0));
  EXPECT_LT(waited, kGroups * kAnswer / 50);
}

TEST(GroupPace, WhoIsInNoHurryNeverIs) {
  EXPECT_EQ(waited_by({}, GroupPace::kClose, 10'000), milliseconds(0));
  EXPECT_EQ(waited_by({}, milliseconds(5), 10'000), milliseconds(0));
}

TEST(GroupPace, WhoComesAfterSomebodySentOnWaitsOnce) {
  GroupPace pace;
  pace.begin(kStart);
  pace.committed(kStart, true);
  EXPECT_EQ(waited_by(pace, milliseconds(5), 10'000), GroupPace::kStill);
}

// So many are sent as soon as the former ones are answered.
TEST(GroupPace, WhoHasAsMuchUnansweredAsItWantsIsNotWaitedFor) {
  GroupPace pace;
  constexpr microseconds kAnswer(500);
  TimePoint now = kStart;
  for (int i = 0; i < 1000; ++i) {
    const TimePoint begun = now;
    TimePoint due = pace.begin(begun);
    for (int sent = 0; sent < 5; ++sent) due = pace.go_on(begun + microseconds(sent));
    EXPECT_LE(due, begun + GroupPace::kStill + microseconds(4));
    pace.committed(due, true);
    now = due + kAnswer;
  }
}

TEST(GroupPace, WhoTakesAServerOutDoesNotWaitForMore) {
  GroupPace pace;
  pace.begin(kStart);
  pace.committed(kStart, true);
  const TimePoint begun = kStart + milliseconds(1);
  TimePoint due = pace.begin(begun);
  EXPECT_EQ(due, begun + GroupPace::kStill);
  EXPECT_EQ(pace.overtake(due), kStart + GroupPace::kRemovalInterval);
  // It never makes anybody wait.
  EXPECT_EQ(pace.overtake(kStart), kStart);
}

TEST(GroupPace, PacesWhileSomebodySendsOn) {
  GroupPace pace;
  TimePoint now = kStart;
  auto next_group = [&](bool is_pipelined) {
    const TimePoint due = pace.begin(now);
    const bool waits = due > now;
    pace.committed(due, is_pipelined);
    now = due + microseconds(100);
    return waits;
  };
  EXPECT_FALSE(next_group(true));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(next_group(true)) << i;
  // Nobody does any more: that is known when a group has waited. Then it is tried, less and less often.
  EXPECT_TRUE(next_group(false));
  for (int i = 0; i < GroupPace::kFewest; ++i) EXPECT_FALSE(next_group(false)) << i;
  EXPECT_TRUE(next_group(false));
  for (int i = 0; i < 2 * GroupPace::kFewest; ++i) EXPECT_FALSE(next_group(false)) << i;
  EXPECT_TRUE(next_group(false));
  // And somebody does again, which ends what was learned.
  EXPECT_FALSE(next_group(true));
  EXPECT_TRUE(next_group(false));
  for (int i = 0; i < GroupPace::kFewest; ++i) EXPECT_FALSE(next_group(false)) << i;
  EXPECT_TRUE(next_group(false));
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
  Inbox inbox(1000);
  std::thread other([&] {
    for (size_t i = 0; i < Inbox::kMany + 8; ++i) post(inbox);
  });
  size_t taken = inbox.take_later(GroupPace::Clock::now() + kLong).size();
  other.join();
  EXPECT_GE(taken, Inbox::kMany);
  if (taken < Inbox::kMany + 8) {
    EXPECT_EQ(taken + inbox.take().size(), Inbox::kMany + 8);
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
