#include "runtime/scope.h"

#include <gtest/gtest.h>

#include <vector>

#include "runtime/sleep.h"
#include "test_support/sim_driver.h"

namespace fairlead::runtime {
namespace {

using std::chrono::milliseconds;

class ScopeTest : public testing::Test {
 protected:
  test_support::SimNetwork network_{1};
  test_support::SimHost host_{network_, "worker", "10.0.0.1"};
  Loop& loop_ = host_.loop;
  TimePoint start_ = loop_.now();
};

Task<void> sleep_for(Loop& loop, Duration length, std::vector<int>& log, int mark) {
  co_await Sleep(loop, loop.now() + length);
  log.push_back(mark);
}

Task<void> join_all(Loop& loop, std::vector<int>& log, bool& done) {
  Scope scope(loop);
  scope.spawn(sleep_for(loop, milliseconds(30), log, 3));
  scope.spawn(sleep_for(loop, milliseconds(10), log, 1));
  scope.spawn(sleep_for(loop, milliseconds(20), log, 2));
  EXPECT_EQ(scope.running(), 3u);
  co_await scope.join();
  EXPECT_EQ(scope.running(), 0u);
  done = true;
}

TEST_F(ScopeTest, JoinsAllThatItSpawned) {
  std::vector<int> log;
  bool done = false;
  Scope scope(loop_);
  scope.spawn(join_all(loop_, log, done));
  EXPECT_TRUE(network_.run_until([&] { return done; }));
  EXPECT_EQ(log, (std::vector{1, 2, 3}));
  EXPECT_EQ(loop_.now() - start_, milliseconds(30));
}

Task<void> at_once(int& count) {
  ++count;
  co_return;
}
Task<void> spawn_and_join(Loop& loop, int& count, bool& done) {
  Scope scope(loop);
  for (int i = 0; i < 1'000; ++i) scope.spawn(at_once(count));
  EXPECT_EQ(count, 1'000);
  co_await scope.join();
  done = true;
}

TEST_F(ScopeTest, RunsATaskUntilItFirstWaitsAndJoinsAtOnceWhereNothingRuns) {
  int count = 0;
  bool done = false;
  Scope scope(loop_);
  scope.spawn(spawn_and_join(loop_, count, done));
  EXPECT_TRUE(done);
}

TEST_F(ScopeTest, IsUsedAgainAfterAJoin) {
  std::vector<int> log;
  for (int i = 0; i < 3; ++i) {
    bool done = false;
    Scope scope(loop_);
    scope.spawn(join_all(loop_, log, done));
    EXPECT_TRUE(network_.run_until([&] { return done; }));
  }
  EXPECT_EQ(log.size(), 9u);
}

Task<void> sleep_many(Loop& loop, int& done, int rounds, int seed) {
  for (int i = 0; i < rounds; ++i) {
    TimePoint until = loop.now() + milliseconds((seed * 7 + i * 13) % 50);
    co_await Sleep(loop, until);
    EXPECT_GE(loop.now(), until);
    EXPECT_LE(loop.now(), until + milliseconds(1));
  }
  ++done;
}

TEST_F(ScopeTest, SleepersWakeOnTimeAndTheirFramesComeFromThePool) {
  int done = 0;
  auto run_all = [&] {
    done = 0;
    Scope scope(loop_);
    for (int i = 0; i < 100; ++i) scope.spawn(sleep_many(loop_, done, 20, i));
    EXPECT_TRUE(network_.run_until([&] { return done == 100 && scope.running() == 0; }));
  };
  run_all();
  [[maybe_unused]] uint64_t before = frames_from_heap();
  run_all();
#ifndef FAIRLEAD_SANITIZED
  EXPECT_EQ(frames_from_heap(), before);
#endif
}

Task<void> sleep_until(Loop& loop, TimePoint when, int& woken) {
  co_await Sleep(loop, when);
  ++woken;
}

TEST_F(ScopeTest, ASleepIntoThePastDoesNotWait) {
  int woken = 0;
  Scope scope(loop_);
  scope.spawn(sleep_until(loop_, loop_.now(), woken));
  EXPECT_EQ(woken, 1);
}

using ScopeDeathTest = ScopeTest;

TEST_F(ScopeDeathTest, ItsEndWithSomethingRunningIsAnAssertion) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int woken = 0;
  EXPECT_DEATH(
      {
        Scope scope(loop_);
        scope.spawn(sleep_until(loop_, loop_.now() + milliseconds(1), woken));
      },
      "running_ == 0");
}

}  // namespace
}  // namespace fairlead::runtime
