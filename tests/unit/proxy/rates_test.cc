#include "proxy/rates.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/random.h"

namespace fairlead::proxy {
namespace {

using config::Duration;
using config::RateLimit;
using runtime::TimePoint;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

RateLimit limit_of(uint32_t requests, Duration per, std::optional<uint32_t> burst = {}) {
  return {.requests = requests, .per = per, .burst = burst};
}

const TimePoint kStart{hours(100)};

TEST(TokenBucket, IsFullAtFirstAndFillsEvenly) {
  int64_t bucket = 0;
  RateLimit limit = limit_of(10, seconds(1), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take_token(limit, kStart, bucket), Duration::zero());
  EXPECT_EQ(take_token(limit, kStart, bucket), milliseconds(100));
  EXPECT_EQ(take_token(limit, kStart + milliseconds(99), bucket), milliseconds(1));
  EXPECT_EQ(take_token(limit, kStart + milliseconds(100), bucket), Duration::zero());
  EXPECT_EQ(take_token(limit, kStart + milliseconds(100), bucket), milliseconds(100));
  // Silence fills it, and no further.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take_token(limit, kStart + hours(1), bucket), Duration::zero());
  EXPECT_GT(take_token(limit, kStart + hours(1), bucket), Duration::zero());
}

TEST(TokenBucket, AnotherLimitHoldsAtOnce) {
  int64_t bucket = 0;
  for (int i = 0; i < 1000; ++i) (void)take_token(limit_of(1, hours(1), 1000), kStart, bucket);
  // What the former would have to wait for is not this one's.
  EXPECT_EQ(take_token(limit_of(10, seconds(1), 1), kStart, bucket), milliseconds(100));
  EXPECT_EQ(take_token(limit_of(10, seconds(1), 1), kStart + milliseconds(100), bucket), Duration::zero());
}

// Against counting: in no span of time are there more than the burst and what the span adds.
TEST(TokenBucket, PassesNoMoreThanItSaysAndNoLess) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    RateLimit limit = limit_of(1 + static_cast<uint32_t>(random.below(50)), milliseconds(1 + random.below(1000)),
                               1 + static_cast<uint32_t>(random.below(20)));
    int64_t bucket = 0;
    TimePoint now = kStart;
    double tokens = limit.effective_burst();
    for (int i = 0; i < 5'000; ++i) {
      Duration pause(random.below(static_cast<uint64_t>(limit.interval().count()) * 2));
      now += pause;
      tokens = std::min<double>(limit.effective_burst(), tokens + static_cast<double>(pause.count()) /
                                                                      static_cast<double>(limit.interval().count()));
      bool passes = take_token(limit, now, bucket) == Duration::zero();
      // On the edge rounding decides.
      if (tokens > 1.001) ASSERT_TRUE(passes);
      if (tokens < 0.999) ASSERT_FALSE(passes);
      if (passes) tokens -= 1;
    }
  }
}

TEST(RateBucket, IsOneForAllThreads) {
  RateBucket bucket;
  RateLimit limit = limit_of(1, hours(1), 10'000);
  std::atomic<int> passed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10'000; ++j) passed += bucket.take(limit, kStart) == Duration::zero();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed, 10'000);
}

TEST(AddressTable, HasABucketForEachAddress) {
  AddressTable table(1024);
  RateLimit limit = limit_of(1, seconds(1), 2);
  for (uint64_t address = 1; address <= 100; ++address) {
    EXPECT_EQ(table.take(address, limit, kStart), Duration::zero());
    EXPECT_EQ(table.take(address, limit, kStart), Duration::zero());
    EXPECT_EQ(table.take(address, limit, kStart), seconds(1));
  }
}

TEST(AddressTable, ForgetsTheSilentFirst) {
  // One group of four.
  AddressTable table(4);
  RateLimit limit = limit_of(1, seconds(10), 1);
  for (uint64_t address = 1; address <= 4; ++address) {
    EXPECT_EQ(table.take(address, limit, kStart + seconds(address)), Duration::zero());
  }
  // The fifth takes the place of the first, which begins anew, in the place of the second.
  EXPECT_EQ(table.take(5, limit, kStart + seconds(5)), Duration::zero());
  EXPECT_GT(table.take(4, limit, kStart + seconds(5)), Duration::zero());
  EXPECT_GT(table.take(2, limit, kStart + seconds(5)), Duration::zero());
  EXPECT_EQ(table.take(1, limit, kStart + seconds(5)), Duration::zero());
  EXPECT_EQ(table.take(2, limit, kStart + seconds(5)), Duration::zero());
}

TEST(SharedListener, KeepsBucketsAndTableOverChanges) {
  SharedListener shared;
  config::Route route{.hosts = {"a"}, .path_prefix = "/x", .backend = "b"};
  auto bucket = shared.bucket_of(route);
  route.backend = "c";
  EXPECT_EQ(shared.bucket_of(route), bucket);
  route.path_prefix = "/y";
  EXPECT_NE(shared.bucket_of(route), bucket);
  auto table = shared.table_of(64);
  EXPECT_EQ(shared.table_of(64), table);
  EXPECT_NE(shared.table_of(128), table);
}

}  // namespace
}  // namespace fairlead::proxy
