#include "management/executor.h"

#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::management {
namespace {

TEST(ExecutorTest, WhatWaitsComesInTheOrderOfItsTimes) {
  Executor executor;
  std::vector<int> order;
  std::promise<void> last;
  executor.post([&] {
    Executor::Clock::time_point now = Executor::Clock::now();
    executor.post_at(now + std::chrono::milliseconds(2), [&] {
      order.push_back(3);
      last.set_value();
    });
    executor.post_at(now + std::chrono::milliseconds(1), [&] { order.push_back(1); });
    executor.post_at(now + std::chrono::milliseconds(1), [&] { order.push_back(2); });
    executor.post_at(now, [&] { order.push_back(0); });
  });
  last.get_future().wait();
  executor.stop();
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3));
}

// Setting the wall clock must not move what waits.
static_assert(Executor::Clock::is_steady);

TEST(ExecutorTest, WhatStillWaitsAtTheEndIsDropped) {
  Executor executor;
  auto kept = std::make_shared<int>(0);
  executor.post_at(Executor::Clock::now() + std::chrono::hours(1), [kept] { FAIL() << "an hour has not passed"; });
  executor.stop();
  EXPECT_EQ(kept.use_count(), 1);
}

}  // namespace
}  // namespace fairlead::management
