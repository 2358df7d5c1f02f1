#include "runtime/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace fairlead::runtime {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr TimePoint kStart{hours(7)};

struct Recorder : Timer {
  Recorder() : Timer(&Recorder::on_fire) {}
  static void on_fire(Timer& timer) {
    auto& self = static_cast<Recorder&>(timer);
    ++self.fired;
    if (self.then) self.then();
  }
  int fired = 0;
  std::function<void()> then;
};

TEST(TimerWheel, WithoutTimersHasNothingToDo) {
  TimerWheel wheel(kStart);
  EXPECT_EQ(wheel.next(), kNever);
  wheel.advance(kStart + hours(1));
  EXPECT_EQ(wheel.next(), kNever);
}

TEST(TimerWheel, FiresAtItsTickAndNotBefore) {
  TimerWheel wheel(kStart);
  Recorder timer;
  wheel.schedule(timer, kStart + microseconds(5'400));
  wheel.advance(kStart + microseconds(5'999));
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kStart + milliseconds(6));
  EXPECT_EQ(timer.fired, 1);
  EXPECT_FALSE(timer.is_scheduled());
  EXPECT_EQ(wheel.next(), kNever);
}

TEST(TimerWheel, FiresWhatIsOverdueAtTheNextAdvance) {
  TimerWheel wheel(kStart);
  wheel.advance(kStart + milliseconds(100));
  Recorder timer;
  wheel.schedule(timer, kStart + milliseconds(3));
  EXPECT_LE(wheel.next(), kStart + milliseconds(100));
  wheel.advance(kStart + milliseconds(100));
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, ScheduledAgainItFiresOnlyAtTheNewTime) {
  TimerWheel wheel(kStart);
  Recorder timer;
  wheel.schedule(timer, kStart + milliseconds(5));
  wheel.schedule(timer, kStart + milliseconds(50));
  wheel.advance(kStart + milliseconds(49));
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kStart + milliseconds(50));
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, ATimerThatDiesNeverFires) {
  TimerWheel wheel(kStart);
  auto timer = std::make_unique<Recorder>();
  wheel.schedule(*timer, kStart + milliseconds(5));
  timer.reset();
  wheel.advance(kStart + milliseconds(10));
  EXPECT_EQ(wheel.next(), kNever);
}

TEST(TimerWheel, OutlivesNothing) {
  Recorder timer;
  {
    TimerWheel wheel(kStart);
    wheel.schedule(timer, kStart + hours(1));
  }
  EXPECT_FALSE(timer.is_scheduled());
}

TEST(TimerWheel, OneThatFiresMayCancelAndMoveOthersOfTheSameTick) {
  TimerWheel wheel(kStart);
  Recorder first, second, third;
  for (Recorder* timer : {&first, &second, &third}) wheel.schedule(*timer, kStart + milliseconds(5));
  first.then = [&] {
    second.cancel();
    wheel.schedule(third, kStart + milliseconds(9));
  };
  wheel.advance(kStart + milliseconds(5));
  EXPECT_EQ(first.fired + second.fired + third.fired, 1);
  wheel.advance(kStart + milliseconds(9));
  EXPECT_EQ(second.fired, 0);
  EXPECT_EQ(third.fired, 1);
}

TEST(TimerWheel, WhatFiresIntoThePastWaitsForTheNextAdvance) {
  TimerWheel wheel(kStart);
  Recorder timer;
  timer.then = [&] { wheel.schedule(timer, kStart); };
  wheel.schedule(timer, kStart);
  for (int round = 1; round <= 5; ++round) {
    wheel.advance(kStart + milliseconds(1));
    EXPECT_EQ(timer.fired, round);
  }
}

// Beyond the six levels (2.2 years) it is kept, and looked at now and then.
TEST(TimerWheel, FiresInTheFarFuture) {
  for (TimePoint start : {kStart, kStart + milliseconds(1), kStart + hours(10'001)}) {
    TimerWheel wheel(kStart);
    wheel.advance(start);
    Recorder timer, never;
    TimePoint when = start + hours(24 * 365 * 10) + microseconds(10);
    wheel.schedule(timer, when);
    wheel.schedule(never, kNever);
    int wakes = 0;
    TimePoint now = start;
    while (timer.fired == 0) {
      ASSERT_GT(wheel.next(), now);
      now = wheel.next();
      wheel.advance(now);
      ASSERT_LT(++wakes, 2'000);
    }
    EXPECT_GE(now, when);
    EXPECT_LE(now, when + milliseconds(1));
    EXPECT_EQ(never.fired, 0);
  }
}

TEST(TimerWheel, JumpsOverYearsInOneCall) {
  TimerWheel wheel(kStart);
  std::vector<Recorder> timers(2'000);
  std::mt19937_64 random(3);
  for (Recorder& timer : timers) wheel.schedule(timer, kStart + milliseconds(random() % (uint64_t{1} << 35)));
  wheel.advance(kStart + hours(24 * 365 * 5));
  for (const Recorder& timer : timers) EXPECT_EQ(timer.fired, 1);
}

// Against a multimap: never early, at most a tick late, cancelled never, and next() is no later than the first.
class AgainstModel : public testing::TestWithParam<unsigned> {
 protected:
  static constexpr size_t kTimers = 200;
  struct Modelled : Timer {
    Modelled() : Timer(&Modelled::on_fire) {}
    static void on_fire(Timer& timer) { static_cast<Modelled&>(timer).test->fired(static_cast<Modelled&>(timer)); }
    AgainstModel* test = nullptr;
  };

  void SetUp() override {
    for (Modelled& timer : timers_) timer.test = this;
  }

  void forget(const Modelled& timer) {
    std::erase_if(model_, [&](const auto& entry) { return entry.second == &timer; });
  }
  void schedule(Modelled& timer) {
    forget(timer);
    auto bits = static_cast<unsigned>(random_() % 44);
    TimePoint when = now_ + microseconds(random_() & ((uint64_t{1} << bits) - 1)) - microseconds(random_() % 3'000);
    wheel_.schedule(timer, when);
    model_.emplace(when, &timer);
  }
  void cancel(Modelled& timer) {
    forget(timer);
    timer.cancel();
  }
  void fired(Modelled& timer) {
    ASSERT_GE(now_, timer.when());
    auto in_model = std::ranges::count_if(model_, [&](const auto& entry) { return entry.second == &timer; });
    ASSERT_EQ(in_model, 1);
    forget(timer);
    // The wheel may be changed from inside.
    if (random_() % 4 == 0) schedule(timers_[random_() % kTimers]);
    if (random_() % 4 == 0) cancel(timers_[random_() % kTimers]);
  }
  void advance_to(TimePoint now) {
    std::multimap<TimePoint, Modelled*> due(model_.begin(), model_.upper_bound(now - milliseconds(1)));
    now_ = now;
    wheel_.advance(now);
    // (A time is never drawn twice in practice: what was scheduled anew meanwhile stands elsewhere.)
    for (const auto& [when, timer] : due) {
      bool left = timer->is_scheduled() && timer->when() == when;
      ASSERT_FALSE(left) << "a timer that was due did not fire";
    }
  }

  std::mt19937_64 random_{GetParam()};
  TimePoint now_ = kStart;
  TimerWheel wheel_{kStart};
  std::array<Modelled, kTimers> timers_;
  std::multimap<TimePoint, Modelled*> model_;
};

TEST_P(AgainstModel, KeepsItsPromises) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  for (int round = 0; round < 2'000; ++round) {
    for (int i = 0; i < 5; ++i) schedule(timers_[random_() % kTimers]);
    if (random_() % 2 == 0) cancel(timers_[random_() % kTimers]);
    if (!model_.empty()) {
      ASSERT_LE(wheel_.next(), std::max(now_, model_.begin()->first + milliseconds(1)));
    }
    TimePoint target = now_ + microseconds(random_() % 5'000);
    if (random_() % 8 == 0) target = std::max(target, wheel_.next() == kNever ? target : wheel_.next());
    if (random_() % 200 == 0) target += hours(random_() % 5'000);
    ASSERT_NO_FATAL_FAILURE(advance_to(target));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AgainstModel, testing::Range(1u, 21u));

}  // namespace
}  // namespace fairlead::runtime
