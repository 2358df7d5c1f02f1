#include "runtime/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "runtime/end_of_turn.h"
#include "runtime/scope.h"
#include "runtime/task.h"
#include "test_support/loopback.h"
#include "test_support/sim_driver.h"

namespace fairlead::runtime {
namespace {

using test_support::EpollHost;

struct Mark : Waiter {
  Mark(std::vector<int>& log, int mark) : Waiter(&Mark::on_wake), log_(log), mark_(mark) {}
  static void on_wake(Waiter& waiter, Wake) {
    auto& self = static_cast<Mark&>(waiter);
    self.log_.push_back(self.mark_);
    if (self.then) self.then();
  }
  std::function<void()> then;
  std::vector<int>& log_;
  int mark_;
};

TEST(Loop, WakesInOrderAndNeverFromInside) {
  EpollHost host;
  std::vector<int> log;
  Mark first(log, 1), second(log, 2), third(log, 3);
  first.then = [&] { host.loop.make_ready(third, Wake::kReady); };
  host.loop.make_ready(first, Wake::kReady);
  host.loop.make_ready(second, Wake::kReady);
  EXPECT_TRUE(log.empty());
  host.loop.turn();
  EXPECT_EQ(log, (std::vector{1, 2}));
  host.loop.turn();
  EXPECT_EQ(log, (std::vector{1, 2, 3}));
}

Task<void> note_at_the_end(Loop& loop, std::vector<int>& log, int mark) {
  co_await EndOfTurn(loop);
  log.push_back(mark);
  co_await EndOfTurn(loop);
  log.push_back(10 * mark);
}

TEST(Loop, WhoWaitsForTheEndOfTheTurnGoesOnWhenItsSocketsHaveBeenLookedAt) {
  EpollHost host;
  std::vector<int> log;
  Scope scope(host.loop);
  scope.spawn(note_at_the_end(host.loop, log, 1));
  scope.spawn(note_at_the_end(host.loop, log, 2));
  EXPECT_TRUE(log.empty());
  host.loop.turn();
  EXPECT_EQ(log, (std::vector{1, 2}));
  host.loop.turn();
  EXPECT_EQ(log, (std::vector{1, 2, 10, 20}));
}

TEST(Loop, AMessageSeesWhatWasPublishedBeforeItWasPosted) {
  EpollHost host;
  int published = 0;
  int seen = 0;
  int at_message = 0;
  host.loop.set_turn_hook([&] { seen = published; });
  published = 1;
  host.loop.post_message([&] { at_message = seen; });
  host.loop.turn();
  EXPECT_EQ(at_message, 1);
}

TEST(Loop, AMessagePostedByAMessageRunsInALaterTurn) {
  EpollHost host;
  int runs = 0;
  host.loop.post_message([&] {
    ++runs;
    host.loop.post_message([&] { ++runs; });
  });
  host.loop.turn();
  EXPECT_EQ(runs, 1);
  host.loop.turn();
  EXPECT_EQ(runs, 2);
}

TEST(Loop, StopsFromInsideAfterTheTurn) {
  EpollHost host;
  std::vector<int> log;
  Mark mark(log, 1);
  host.loop.post_message([&] {
    host.loop.stop();
    host.loop.make_ready(mark, Wake::kReady);
  });
  host.loop.run();
  EXPECT_EQ(log, (std::vector{1}));
}

// For the thread sanitizer: many threads post; all arrives, in each thread's order, on the loop's thread.
TEST(Loop, TakesMessagesFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kMessages = 5'000;
  EpollHost host;
  std::thread::id loop_thread;
  std::array<int, kThreads> received{};
  int total = 0;
  std::thread runner([&] {
    loop_thread = std::this_thread::get_id();
    host.loop.run();
  });
  std::vector<std::thread> posters;
  for (int thread = 0; thread < kThreads; ++thread) {
    posters.emplace_back([&, thread] {
      for (int i = 0; i < kMessages; ++i) {
        host.loop.post_message([&, thread, i] {
          EXPECT_EQ(received[thread]++, i);
          EXPECT_EQ(std::this_thread::get_id(), loop_thread);
          if (++total == kThreads * kMessages) host.loop.stop();
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  runner.join();
  EXPECT_EQ(total, kThreads * kMessages);
}

TEST(Loop, AWakeOrStopFromOutsideEndsItsWait) {
  EpollHost host;
  std::atomic<int> turns = 0;
  host.loop.set_turn_hook([&] { ++turns; });
  std::thread runner([&] { host.loop.run(); });
  for (int i = 0; i < 10; ++i) {
    int before = turns;
    host.loop.wake();
    while (turns == before) std::this_thread::yield();
  }
  host.loop.stop();
  runner.join();
}

TEST(Loop, FiresTimersInVirtualTimeWithoutWaiting) {
  test_support::SimNetwork network(1);
  test_support::SimHost host(network, "worker", "10.0.0.1");
  struct Recorder : Timer {
    Recorder() : Timer([](Timer& timer) { static_cast<Recorder&>(timer).fired = true; }) {}
    bool fired = false;
  } timer;
  TimePoint when = host.loop.now() + std::chrono::hours(1'000);
  host.loop.timers().schedule(timer, when);
  EXPECT_TRUE(network.run_until([&] { return timer.fired; }, std::chrono::hours(1'001)));
  EXPECT_EQ(host.loop.now(), when);
  EXPECT_FALSE(network.step());
}

}  // namespace
}  // namespace fairlead::runtime
