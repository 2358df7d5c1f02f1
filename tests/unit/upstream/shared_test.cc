#include "upstream/shared.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "upstream/admission.h"

namespace fairlead::upstream {
namespace {

base::Ref<const config::Server> make_server(config::Uid uid, const std::string& name, uint16_t port = 80) {
  auto server = base::make_ref<config::Server>();
  server->metadata.uid = uid;
  server->name = name;
  server->address = config::Endpoint(config::Ip4Endpoint{0x0a000001, port});
  return server;
}

TEST(SharedLoad, IsOneForEachNameAndAddressOfABackend) {
  Shared shared;
  auto first = shared.load_of(1, make_server(1, "s1"));
  auto again = shared.load_of(1, make_server(7, "s1"));
  EXPECT_EQ(first.get(), again.get()) << "added again";
  EXPECT_NE(shared.load_of(1, make_server(1, "s2")).get(), first.get());
  EXPECT_NE(shared.load_of(1, make_server(1, "s1", 81)).get(), first.get());
  EXPECT_NE(shared.load_of(2, make_server(1, "s1")).get(), first.get());
  EXPECT_EQ(shared.loads(), 1u) << "gone with their last keepers";
  first = SharedLoadRef();
  EXPECT_EQ(shared.loads(), 1u);
  again = SharedLoadRef();
  EXPECT_EQ(shared.loads(), 0u);
}

TEST(SharedLoad, TakesNoMoreThanItsLimit) {
  Shared shared;
  auto load = shared.load_of(1, make_server(1, "s1"));
  EXPECT_TRUE((*load).try_enter(2));
  EXPECT_TRUE((*load).try_enter(2));
  EXPECT_FALSE((*load).try_enter(2));
  EXPECT_TRUE((*load).try_enter(3)) << "raised";
  EXPECT_FALSE((*load).try_enter(1)) << "lowered";
  EXPECT_TRUE((*load).try_enter(0)) << "no limit";
  EXPECT_EQ((*load).in_flight(), 4u);
  for (int i = 0; i < 3; ++i) (*load).leave();
  EXPECT_FALSE((*load).try_enter(1));
  (*load).leave();
  EXPECT_TRUE((*load).try_enter(1));
  (*load).leave();
}

TEST(Place, LeavesOnceWhereverItWent) {
  Shared shared;
  auto load = shared.load_of(1, make_server(1, "s1"));
  {
    ASSERT_TRUE((*load).try_enter(5));
    Place first(*load);
    Place second = std::move(first);
    EXPECT_FALSE(first.is_counted());
    EXPECT_EQ((*load).in_flight(), 1u);
    ASSERT_TRUE((*load).try_enter(5));
    second = Place(*load);
    EXPECT_EQ((*load).in_flight(), 1u);
    second.leave();
    EXPECT_EQ((*load).in_flight(), 0u);
  }
  EXPECT_EQ((*load).in_flight(), 0u);
}

TEST(SharedTotal, IsOneForEachBackendWhileSomebodyKeepsIt) {
  Shared shared;
  auto total = shared.total_of(1);
  EXPECT_EQ(shared.total_of(1), total);
  EXPECT_NE(shared.total_of(2), total);
  {
    Place place;
    place.enter(*total);
    place.enter(*total);
    EXPECT_EQ(total->in_flight(), 1u) << "once";
    Place other = std::move(place);
    place.leave();
    EXPECT_EQ(total->in_flight(), 1u);
    auto load = shared.load_of(1, make_server(1, "s1"));
    (*load).enter();
    other = Place(*load);
    EXPECT_EQ((*load).in_flight(), 1u);
    other.leave();
    EXPECT_EQ((*load).in_flight(), 0u);
  }
  EXPECT_EQ(total->in_flight(), 0u);
}

// Threads that come and go as workers do; the server is kept and let go all the time.
TEST(SharedLoad, IsNeverOverItsLimitWhateverTheThreadsDo) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  constexpr uint32_t kLimit = 3;
  Shared shared;
  std::atomic<uint32_t> inside = 0;
  std::atomic<uint32_t> most = 0;
  std::atomic<uint64_t> entered = 0;
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      auto record = make_server(1, "s1");
      start.arrive_and_wait();
      for (int round = 0; round < kRounds; ++round) {
        auto load = shared.load_of(1, record);
        std::vector<Place> places;
        while ((*load).try_enter(kLimit)) {
          places.emplace_back(*load);
          uint32_t now = ++inside;
          uint32_t seen = most;
          while (seen < now && !most.compare_exchange_weak(seen, now)) continue;
          ++entered;
        }
        inside -= static_cast<uint32_t>(places.size());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, kLimit);
  EXPECT_GT(entered, uint64_t{kRounds} / 2);
  EXPECT_EQ(shared.loads(), 0u);
}

TEST(SharedHolder, WhoKnowsLessChangesNothing) {
  Shared shared;
  auto holder = shared.holder_of(1);
  EXPECT_EQ(shared.holder_of(1), holder);
  EXPECT_EQ(holder->uid(), 0u);
  EXPECT_EQ(holder->elect(0, 5, 10), 5u);
  EXPECT_EQ(holder->elect(0, 6, 10), 5u) << "another was first";
  EXPECT_EQ(holder->elect(5, 6, 9), 5u) << "of a former version";
  EXPECT_EQ(holder->elect(5, 6, 10), 6u);
  EXPECT_EQ(holder->uid(), 6u);
  holder.reset();
  EXPECT_EQ(shared.holder_of(1)->uid(), 0u);
}

}  // namespace
}  // namespace fairlead::upstream
