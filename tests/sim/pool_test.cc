// Pools of connections to servers: what is opened before it is asked for, and what is closed because nobody needs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::StartsWith;

config::Backend with_pool(const config::PoolSettings& pool) {
  config::Backend settings;
  settings.timeouts.response = settings.timeouts.idle = hours(2);
  settings.pool = pool;
  return settings;
}

class PoolWorld {
 public:
  explicit PoolWorld(const config::PoolSettings& pool = {.idle_timeout = hours(1)}, int workers = 1)
      : w(1, workers, 1) {
    set_pool(pool);
    w.open();
  }
  void set_pool(const config::PoolSettings& pool) { w.set_backend(with_pool(pool)); }
  // As the store orders it after a publication.
  void warm(const std::string& server, uint32_t connections, size_t worker = 0) {
    config::BackendHandle backend = w.world.configuration().backend("app");
    base::Ref<const config::Server> record = w.world.configuration().server("app", server);
    Worker* on = w.world.workers()[worker].get();
    on->host.loop.post_message([=, slot = record->slot, uid = record->metadata.uid] {
      on->context.upstreams.warming().begin(backend, slot, uid, connections);
    });
  }
  // As the store tells workers after a publication.
  void follow_pool() {
    for (auto& worker : w.world.workers()) {
      worker->host.loop.post_message([on = worker.get(), backend = w.world.configuration().backend("app")] {
        on->context.upstreams.follow_settings(backend);
      });
    }
  }
  void run_for(Duration length) { w.world.network().run_for(length); }
  // So many requests at once, which take so long.
  void start(int count, int delay_ms) {
    for (int i = 0; i < count; ++i) {
      w.clients->start({{.id = ++last_id_, .response_size = 3, .delay_ms = delay_ms}});
    }
  }
  void burst(int count) {
    start(count, 100);
    w.run_clients();
  }
  observe::Counters counters(const std::string& server = "s0") {
    observe::Counters sum;
    for (const auto& one : w.world.statistics("app").servers) {
      if (one.name == server) sum += one.counters;
    }
    return sum;
  }
  uint64_t idle(const std::string& server = "s0") { return counters(server).idle; }
  int accepted(const std::string& server = "s0") { return w.origins.at(server)->accepted(); }
  size_t under_way() { return w.world.workers()[0]->context.upstreams.warming().under_way(); }

  HttpWorld w;

 private:
  uint64_t last_id_ = 0;
};

// ---- warming

TEST(Warming, OpensConnectionsBeforeRequestsAskForThem) {
  PoolWorld p;
  p.warm("s0", 5);
  p.run_for(seconds(1));
  EXPECT_EQ(p.accepted(), 5);
  EXPECT_EQ(p.idle(), 5u);
  EXPECT_EQ(p.counters().warmed, 5u);
  EXPECT_EQ(p.counters().warming_failed, 0u);
  EXPECT_EQ(p.counters().started, 0u) << "nothing was asked";
  p.burst(5);
  EXPECT_EQ(p.accepted(), 5) << "requests use them";
  p.burst(6);
  EXPECT_EQ(p.accepted(), 6);
  EXPECT_EQ(p.w.world.statistics("app").counters.warmed, 5u);
  p.w.expect_all_exact();
}

TEST(Warming, WhatIsOpenAlreadyCounts) {
  PoolWorld p;
  p.burst(2);
  p.start(1, 10'000);
  p.run_for(seconds(1));
  EXPECT_EQ(p.accepted(), 2);
  EXPECT_EQ(p.idle(), 1u);
  p.warm("s0", 5);
  p.run_for(seconds(1));
  EXPECT_EQ(p.accepted(), 5);
  p.warm("s0", 5);
  p.warm("s0", 2);
  p.run_for(seconds(1));
  EXPECT_EQ(p.accepted(), 5) << "there are as many";
  p.w.run_clients();
}

TEST(Warming, IsNoStorm) {
  PoolWorld p;
  for (int i = 1; i < 10; ++i) p.w.add_origin();
  p.w.world.publish();
  p.w.world.network().faults().latency_min = p.w.world.network().faults().latency_max = milliseconds(10);
  for (int i = 0; i < 10; ++i) p.warm("s" + std::to_string(i), 20);
  auto opened = [&] {
    int sum = 0;
    for (auto& [name, origin] : p.w.origins) sum += origin->accepted();
    return sum;
  };
  size_t most = 0;
  // 200 in all, eight in each of the times that one takes.
  for (int i = 0; i < 100 && opened() < 200; ++i) {
    int before = opened();
    p.run_for(milliseconds(10));
    most = std::max(most, p.under_way());
    EXPECT_LE(opened() - before, 8);
  }
  EXPECT_EQ(opened(), 200);
  EXPECT_EQ(most, 8u) << "and no fewer than may be";
  p.run_for(seconds(1));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(p.idle("s" + std::to_string(i)), 20u);
}

TEST(Warming, OfAServerThatIsNotThereOneIsTried) {
  PoolWorld p;
  p.w.world.configuration().add_server("app", "gone", config::Endpoint::parse("10.1.0.1:9").value());
  p.w.world.publish();
  p.warm("gone", 50);
  p.warm("s0", 3);
  p.run_for(seconds(1));
  EXPECT_EQ(p.counters("gone").warming_failed, 1u);
  EXPECT_EQ(p.counters("gone").warmed, 0u);
  EXPECT_EQ(p.idle(), 3u) << "others are not held up";
  p.warm("gone", 50);
  p.run_for(seconds(1));
  EXPECT_EQ(p.counters("gone").warming_failed, 2u) << "it began again";
}

TEST(Warming, ClosesNothingThatIsOpen) {
  PoolWorld p;
  p.w.add_origin();
  config::Backend settings = with_pool({.idle_timeout = hours(1)});
  settings.circuit.max_connections = 4;
  p.w.set_backend(settings);
  p.warm("s0", 3);
  p.run_for(seconds(1));
  p.warm("s1", 5);
  p.run_for(seconds(1));
  EXPECT_EQ(p.idle("s0"), 3u);
  EXPECT_EQ(p.idle("s1"), 1u) << "there is room for one";
  EXPECT_EQ(p.counters("s1").warming_failed, 1u);
  EXPECT_EQ(p.w.world.statistics("app").counters.circuit_refused, 0u) << "no request was";
}

TEST(Warming, OneThatHangsIsGivenUpInTime) {
  PoolWorld p;
  p.w.world.network().faults().black_hole_connect = 1;
  p.warm("s0", 5);
  p.run_for(seconds(4));
  EXPECT_EQ(p.under_way(), 1u);
  EXPECT_EQ(p.counters().warming_failed, 0u);
  p.run_for(seconds(2));
  EXPECT_EQ(p.counters().warming_failed, 1u) << "after timeouts.connect";
  EXPECT_EQ(p.under_way(), 0u);
  // Nor does one keep its worker from ending.
  p.warm("s0", 5);
  p.run_for(seconds(1));
  EXPECT_EQ(p.under_way(), 1u);
}

TEST(Warming, AServerThatLeavesMeanwhileGetsNoMore) {
  PoolWorld p;
  p.w.add_origin();
  p.w.world.publish();
  p.w.world.network().faults().latency_min = p.w.world.network().faults().latency_max = milliseconds(10);
  p.warm("s0", 1000);
  p.run_for(milliseconds(100));
  int before = p.accepted();
  EXPECT_GT(before, 5);
  p.w.world.delete_server("app", "s0", seconds(1), [](uint64_t) {});
  p.run_for(seconds(10));
  EXPECT_LE(p.accepted(), before + 8);
  EXPECT_EQ(p.w.origins.at("s0")->connections(), 0u) << "and those that it had are closed";
  // Drained as well.
  p.warm("s1", 1000);
  p.run_for(milliseconds(100));
  p.w.world.configuration().set_admin_state("app", "s1", config::AdminState::kDrain);
  p.w.world.publish();
  p.w.world.drain(p.w.world.configuration().backend("app"), *p.w.world.configuration().server("app", "s1"), false, {},
                  [](uint64_t) {});
  p.run_for(seconds(10));
  EXPECT_EQ(p.w.origins.at("s1")->connections(), 0u);
}

TEST(Warming, ConnectionsAreIdleOnesAsOthersAre) {
  PoolWorld p({.idle_timeout = seconds(10), .max_idle = 4, .max_requests = 2});
  p.warm("s0", 6);
  p.run_for(seconds(1));
  EXPECT_EQ(p.idle(), 4u) << "max_idle holds";
  p.run_for(seconds(10));
  EXPECT_EQ(p.idle(), 0u) << "idle_timeout holds";
  EXPECT_EQ(p.accepted(), 4) << "what is closed is not opened again";
  p.warm("s0", 1);
  p.run_for(seconds(1));
  for (int i = 0; i < 3; ++i) p.burst(1);
  EXPECT_EQ(p.accepted(), 6) << "each carries two, a warm one as well";
  p.w.origins.at("s0")->stop();
  p.run_for(seconds(1));
  EXPECT_EQ(p.idle(), 0u) << "what the server closes goes";
}

TEST(Warming, EachWorkerHasItsOwn) {
  PoolWorld p({.idle_timeout = hours(1)}, 2);
  p.warm("s0", 3, 0);
  p.warm("s0", 2, 1);
  p.run_for(seconds(1));
  EXPECT_EQ(p.accepted(), 5);
  EXPECT_EQ(p.idle(), 5u);
}

// ---- in place

TEST(PoolInPlace, AShorterTimeHoldsForThoseThatAreIdle) {
  PoolWorld p;
  p.burst(4);
  p.set_pool({.idle_timeout = seconds(5)});
  p.follow_pool();
  p.run_for(seconds(4));
  EXPECT_EQ(p.idle(), 4u);
  p.run_for(seconds(2));
  EXPECT_EQ(p.idle(), 0u);
  p.set_pool({.idle_timeout = hours(1)});
  p.burst(4);
  p.set_pool({.idle_timeout = seconds(0)});
  p.follow_pool();
  p.run_for(milliseconds(100));
  EXPECT_EQ(p.idle(), 0u) << "none is kept";
}

TEST(PoolInPlace, PurgingBeginsThoughNobodyAsks) {
  PoolWorld p;
  p.burst(8);
  p.run_for(seconds(60));
  p.set_pool({.idle_timeout = hours(1), .purge_delay = seconds(1)});
  p.follow_pool();
  p.run_for(seconds(20));
  EXPECT_EQ(p.idle(), 0u);
}

// ---- purging

TEST(Purging, ClosesHalfOfWhatWasNotNeededEachTime) {
  PoolWorld p({.idle_timeout = hours(1), .purge_delay = seconds(10)});
  p.burst(20);
  EXPECT_EQ(p.idle(), 20u);
  p.run_for(seconds(1));
  std::vector<uint64_t> seen;
  for (int i = 0; i < 9; ++i) {
    p.run_for(seconds(10));
    seen.push_back(p.idle());
  }
  // Twenty were needed in the first time, and in the one before the second.
  EXPECT_THAT(seen, testing::ElementsAre(20, 20, 10, 5, 2, 1, 0, 0, 0));
  EXPECT_EQ(p.counters().purged, 20u);
  EXPECT_EQ(p.w.world.statistics("app").counters.purged, 20u);
  p.w.expect_all_exact();
}

TEST(Purging, KeepsWhatIsNeededAndTheLeast) {
  PoolWorld p({.idle_timeout = hours(1), .purge_delay = seconds(10), .min_idle = 3});
  p.burst(20);
  // Six at once, now and then.
  for (int i = 0; i < 30; ++i) {
    p.run_for(seconds(5));
    p.burst(6);
  }
  EXPECT_EQ(p.idle(), 6u);
  EXPECT_EQ(p.accepted(), 20) << "nothing that is needed was closed";
  p.start(2, 600'000);
  p.run_for(seconds(300));
  EXPECT_EQ(p.idle(), 3u) << "beside the two that carry something";
  p.w.run_clients();
  p.run_for(seconds(300));
  EXPECT_EQ(p.idle(), 3u);
  p.run_for(hours(2));
  EXPECT_EQ(p.idle(), 0u) << "idle_timeout holds for these as well";
  p.w.expect_all_exact();
}

TEST(Purging, NothingIsClosedWithoutADelay) {
  PoolWorld p;
  p.burst(20);
  p.run_for(seconds(1800));
  EXPECT_EQ(p.idle(), 20u);
  EXPECT_EQ(p.counters().purged, 0u);
}

TEST(Purging, IsChangedInPlaceWhileRequestsFlow) {
  PoolWorld p;
  p.burst(16);
  p.run_for(seconds(100));
  EXPECT_EQ(p.idle(), 16u);
  p.set_pool({.idle_timeout = hours(1), .purge_delay = seconds(1)});
  for (int i = 0; i < 20; ++i) {
    p.burst(1);
    p.run_for(seconds(1));
  }
  EXPECT_EQ(p.idle(), 1u) << "at once, not when something would have been due";
  p.set_pool({.idle_timeout = hours(1)});
  p.burst(16);
  p.run_for(seconds(100));
  EXPECT_EQ(p.idle(), 16u);
  p.set_pool({.idle_timeout = hours(1), .purge_delay = seconds(1), .min_idle = 9});
  for (int i = 0; i < 20; ++i) {
    p.burst(1);
    p.run_for(seconds(1));
  }
  EXPECT_EQ(p.idle(), 9u);
  p.w.expect_all_exact();
}

TEST(Purging, TheLongestIdleGoFirst) {
  PoolWorld p({.idle_timeout = hours(1), .purge_delay = seconds(10)});
  p.burst(8);
  for (int i = 0; i < 100; ++i) {
    p.run_for(seconds(1));
    p.burst(1);
  }
  EXPECT_EQ(p.idle(), 1u);
  EXPECT_EQ(p.accepted(), 8) << "the one in use stays";
}

}  // namespace
}  // namespace fairlead::sim
