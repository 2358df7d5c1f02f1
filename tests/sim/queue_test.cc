// Where all servers are full, requests wait: in order over all workers, and no longer than they must.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

config::Backend queueing(Duration timeout = hours(1)) {
  config::Backend settings;
  settings.timeouts.response = settings.timeouts.idle = hours(2);
  settings.default_max_connections = 1;
  settings.queue.timeout = timeout;
  return settings;
}

class Queueing : public testing::TestWithParam<int> {
 protected:
  Queueing() {
    w_.set_backend(queueing());
    w_.open();
  }
  // A request on a connection of its own, which takes its time at the server. Whoever is asked later comes later.
  RawExchange& ask(int delay_ms = 10'000) {
    Plan plan{.id = ++last_id_, .response_size = 3, .delay_ms = delay_ms};
    std::string head = plan.request_head("a");
    exchanges_.push_back(
        std::make_unique<RawExchange>(w_, head.substr(0, head.size() - 2) + "Connection: close\r\n\r\n"));
    w_.world.network().run_for(milliseconds(100));
    return *exchanges_.back();
  }
  // Ten places, of which there is one at first and all in 100 s.
  void start_slowly() {
    config::Backend settings = queueing();
    settings.default_max_connections = 10;
    settings.slow_start.window = seconds(100);
    settings.slow_start.min_percent = 10;
    w_.world.configuration().begin_slowly("app", "s0", w_.world.network().now().time_since_epoch());
    w_.set_backend(settings);
  }
  const observe::Counters counters() { return w_.world.statistics("app").counters; }
  uint64_t waiting() { return counters().queued; }
  void finish_all() {
    for (auto& exchange : exchanges_) exchange->finish();
  }
  const std::vector<uint64_t>& came() const { return w_.seen.order; }
  int status(size_t index) const {
    const std::string& received = exchanges_[index]->received;
    return received.empty() ? 0 : std::stoi(received.substr(9, 3));
  }

  HttpWorld w_{1, GetParam(), 1};
  uint64_t last_id_ = 0;
  std::vector<std::unique_ptr<RawExchange>> exchanges_;
};
INSTANTIATE_TEST_SUITE_P(Workers, Queueing, testing::Values(1, 2, 3));

TEST_P(Queueing, InOrderOfComingWhateverTheWorker) {
  for (int i = 0; i < 12; ++i) ask(1'500);
  EXPECT_EQ(waiting(), 11u);
  EXPECT_EQ(counters().in_flight, 1u);
  finish_all();
  EXPECT_THAT(came(), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  EXPECT_EQ(waiting(), 0u);
  EXPECT_EQ(counters().waited, 11u);
  EXPECT_EQ(counters().queue_timeouts + counters().queue_refused, 0u);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(status(i), 200);
}

TEST_P(Queueing, WhoComesWhileAPlaceIsPassedOnIsBehindThoseThatWait) {
  for (int i = 0; i < 3; ++i) ask(1'000);
  exchanges_.front()->finish();
  // At this moment the place is on its way to the second.
  ask(1'000);
  finish_all();
  EXPECT_THAT(came(), ElementsAre(1, 2, 3, 4));
}

TEST_P(Queueing, APriorityGoesFirst) {
  config::Listener listener = HttpWorld::listener();
  auto route = [&](const char* path, uint8_t priority) {
    listener.routes.push_back({.hosts = {}, .path_prefix = path, .backend = "app", .priority = priority});
  };
  route("/exchange/2", 7);
  route("/exchange/5", 7);
  route("/exchange/4", 0);
  route("/exchange/7", 0);
  w_.world.configuration().set_listener("web", listener);
  w_.world.publish();
  ask(5'000);
  for (int i = 0; i < 6; ++i) ask(1'000);
  finish_all();
  EXPECT_THAT(came(), ElementsAre(1, 4, 7, 3, 6, 2, 5));
}

TEST_P(Queueing, NoMoreWaitThanMay) {
  config::Backend settings = queueing();
  settings.queue.max_waiting = 2;
  w_.set_backend(settings);
  for (int i = 0; i < 3; ++i) ask();
  RawExchange& refused = ask();
  EXPECT_THAT(refused.received, StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(waiting(), 2u);
  EXPECT_EQ(counters().queue_refused, 1u);
  EXPECT_EQ(counters().failed[static_cast<int>(observe::Failure::kFull)], 1u);
  // Lowering sends nobody away.
  settings.queue.max_waiting = 0;
  w_.set_backend(settings);
  EXPECT_THAT(ask().received, StartsWith("HTTP/1.1 503 "));
  finish_all();
  EXPECT_THAT(came(), ElementsAre(1, 2, 3));
}

TEST_P(Queueing, NoLongerThanTheTimeout) {
  w_.set_backend(queueing(seconds(3)));
  ask(60'000);
  RawExchange& late = ask();
  late.finish();
  EXPECT_THAT(late.received, StartsWith("HTTP/1.1 503 "));
  EXPECT_GE(late.took, seconds(3));
  EXPECT_LT(late.took, seconds(4));
  EXPECT_EQ(counters().queue_timeouts, 1u);
  EXPECT_EQ(counters().failed[static_cast<int>(observe::Failure::kFull)], 1u);
  // By default as long as a connection may take.
  config::Backend settings = queueing();
  settings.queue.timeout.reset();
  settings.timeouts.connect = seconds(7);
  w_.set_backend(settings);
  RawExchange& later = ask();
  later.finish();
  EXPECT_GE(later.took, seconds(7));
  EXPECT_LT(later.took, seconds(8));
  EXPECT_EQ(waiting(), 0u);
  finish_all();
}

TEST_P(Queueing, EveryoneThereIsRoomForGoesOnWhenALimitIsRaised) {
  for (int i = 0; i < 8; ++i) ask();
  config::Backend settings = queueing();
  settings.default_max_connections = 6;
  w_.set_backend(settings);
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(counters().in_flight, 6u);
  EXPECT_EQ(waiting(), 2u);
  settings.default_max_connections = 0;
  w_.set_backend(settings);
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(counters().in_flight, 8u);
  EXPECT_EQ(waiting(), 0u);
  EXPECT_EQ(ask(0).received.substr(0, 12), "HTTP/1.1 200");
  finish_all();
}

TEST_P(Queueing, AServerThatIsAddedOrMadeReadyTakesThemAtOnce) {
  for (int i = 0; i < 4; ++i) ask();
  w_.add_origin();
  w_.world.publish();
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(waiting(), 2u);
  w_.add_origin();
  w_.world.configuration().set_admin_state("app", "s2", config::AdminState::kDrain);
  w_.world.publish();
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(waiting(), 2u);
  w_.world.configuration().set_admin_state("app", "s2", config::AdminState::kReady);
  w_.world.publish();
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(waiting(), 1u);
  finish_all();
}

// Its limit grows without anybody's saying so: time is a reason to look, and each place that is let go is one to look
// for all.
TEST_P(Queueing, AServerThatStartsSlowlyTakesMoreOfThemWithTime) {
  start_slowly();
  for (int i = 0; i < 40; ++i) ask(20'000);
  EXPECT_EQ(counters().in_flight, 1u);
  w_.world.network().run_for(seconds(60));
  uint64_t after_a_minute = counters().in_flight;
  EXPECT_GE(after_a_minute, 6u);
  EXPECT_LE(after_a_minute, 7u);
  w_.world.network().run_for(seconds(41));
  EXPECT_EQ(counters().in_flight, 10u);
  finish_all();
  EXPECT_EQ(counters().queued, 0u);
}

TEST_P(Queueing, AServerThatStartsSlowlyTakesMoreOfThemThoughNobodyLeaves) {
  start_slowly();
  for (int i = 0; i < 12; ++i) ask(150'000);
  EXPECT_EQ(counters().in_flight, 1u);
  w_.world.network().run_for(seconds(50));
  EXPECT_GE(counters().in_flight, 5u);
  EXPECT_LE(counters().in_flight, 6u);
  w_.world.network().run_for(seconds(51));
  EXPECT_EQ(counters().in_flight, 10u);
  EXPECT_EQ(waiting(), 2u);
  finish_all();
}

TEST_P(Queueing, ADeletedBackendOrServersInMaintenanceEndTheWaiting) {
  ask(30'000);
  RawExchange& first = ask();
  RawExchange& second = ask();
  w_.world.configuration().set_admin_state("app", "s0", config::AdminState::kMaintenance);
  w_.world.publish();
  w_.world.network().run_for(milliseconds(100));
  EXPECT_THAT(first.received, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(second.received, StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(counters().failed[static_cast<int>(observe::Failure::kNoServer)], 2u);
  w_.world.configuration().set_admin_state("app", "s0", config::AdminState::kReady);
  w_.world.publish();
  RawExchange& third = ask();
  EXPECT_EQ(waiting(), 1u);
  config::Listener listener = HttpWorld::listener();
  listener.default_backend = "";
  w_.world.configuration().set_listener("web", listener);
  w_.world.configuration().delete_backend("app");
  w_.world.publish();
  w_.world.network().run_for(milliseconds(100));
  EXPECT_THAT(third.received, StartsWith("HTTP/1.1 503 "));
  finish_all();
}

TEST_P(Queueing, AClientThatLeavesIsTakenOutAtOnce) {
  ask(30'000);
  Plan plan{.id = 100, .response_size = 3};
  struct Impatient {
    static runtime::Task<void> run(HttpPeer& peer, std::string bytes) {
      bool connected = co_await peer.connected();
      if (connected) co_await peer.send(std::move(bytes));
    }
  };
  runtime::Scope scope(w_.world.clients().loop);
  auto begin = [&] {
    auto peer = std::make_unique<HttpPeer>(w_.world.clients(), w_.address);
    scope.spawn(Impatient::run(*peer, plan.request_head("a")));
    w_.world.network().run_for(milliseconds(100));
    return peer;
  };
  auto resets = begin();
  auto closes = begin();
  auto only_ends = begin();
  EXPECT_EQ(waiting(), 3u);
  resets->stream().reset_on_close();
  resets.reset();
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(waiting(), 2u);
  closes.reset();
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(waiting(), 1u);
  only_ends->stream().shutdown_write();
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(waiting(), 0u);
  EXPECT_EQ(counters().failed[static_cast<int>(observe::Failure::kClient)], 3u);
  EXPECT_EQ(w_.seen.requests[100], 0);
  EXPECT_THAT(ask(0).received, IsEmpty()) << "the server is still full";
  finish_all();
}

TEST_P(Queueing, WhatIsTriedAgainWaitsAndKeepsWhatItTried) {
  w_.add_origin();
  config::Backend settings = queueing();
  settings.retry.conditions = {config::RetryCondition::kEmptyResponse};
  settings.algorithm = config::Algorithm::kFirst;
  w_.set_backend(settings);
  ask(10'000);
  ask(60'000);
  // Waits, is told nothing by the first server, and waits again, behind the one that has come meanwhile.
  Plan plan{.id = 100, .response_size = 3, .fate = Fate::kCloseBeforeHead, .fated_tries = 1};
  std::string head = plan.request_head("a");
  RawExchange exchange(w_, head.substr(0, head.size() - 2) + "Connection: close\r\n\r\n");
  w_.world.network().run_for(milliseconds(100));
  ask(60'000);
  EXPECT_EQ(waiting(), 2u);
  w_.world.network().run_for(seconds(12));
  EXPECT_EQ(w_.seen.requests[100], 1);
  EXPECT_EQ(waiting(), 1u);
  // Now both have room, and the first of them would be picked.
  settings.default_max_connections = 2;
  w_.set_backend(settings);
  w_.world.network().run_for(seconds(1));
  EXPECT_EQ(w_.seen.requests[100], 2);
  for (const auto& server : w_.world.statistics("app").servers) {
    EXPECT_EQ(server.counters.started, server.name == "s0" ? 3u : 2u) << server.name;
  }
  exchange.finish();
  finish_all();
  exchange.finish();
}

TEST(QueueingOfTcp, AConnectionWaitsAndIsClosedAtTheTimeout) {
  HttpWorld w(1, 2, 0);
  ScriptedServer server(w.world, [](HttpPeer& peer) -> runtime::Task<void> {
    co_await peer.send("hello\n");
    co_await peer.read_to_end();
  });
  w.world.configuration().add_server("app", "s0", server.address());
  w.set_backend(queueing(seconds(30)));
  config::Listener settings = HttpWorld::listener();
  settings.protocol = config::Protocol::kTcp;
  w.open(settings);
  struct Held {
    static runtime::Task<void> run(HttpPeer& peer, std::string& got) {
      bool connected = co_await peer.connected();
      if (!connected) co_return;
      PeerBody all = co_await peer.read_to_end();
      got = all.bytes;
    }
  };
  runtime::Scope scope(w.world.clients().loop);
  std::array<std::string, 3> got;
  std::vector<std::unique_ptr<HttpPeer>> peers;
  for (auto& text : got) {
    peers.push_back(std::make_unique<HttpPeer>(w.world.clients(), w.address));
    scope.spawn(Held::run(*peers.back(), text));
    w.world.network().run_for(seconds(1));
  }
  EXPECT_EQ(w.world.statistics("app").counters.queued, 2u);
  // Half of a TCP connection may be ended before the other side is there.
  peers[1]->stream().shutdown_write();
  w.world.network().run_for(seconds(1));
  EXPECT_EQ(w.world.statistics("app").counters.queued, 2u);
  peers[0]->stream().shutdown_write();
  w.world.network().run_for(seconds(1));
  EXPECT_EQ(got[0], "hello\n");
  EXPECT_EQ(got[1], "hello\n");
  // The third has its place now; a fourth waits in vain.
  HttpPeer late(w.world.clients(), w.address);
  std::string nothing;
  scope.spawn(Held::run(late, nothing));
  w.world.network().run_for(seconds(29));
  EXPECT_EQ(scope.running(), 2u);
  w.world.network().run_for(seconds(2));
  EXPECT_EQ(scope.running(), 1u);
  EXPECT_EQ(nothing, "");
  EXPECT_EQ(w.world.statistics("app").counters.queue_timeouts, 1u);
  peers[2]->stream().shutdown_write();
  ASSERT_TRUE(w.world.run_until([&] { return scope.running() == 0; }));
}

class QueueSeeds : public testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, QueueSeeds, testing::Range<uint64_t>(1, 13));

// Clients that come and leave, limits and members that change: nobody waits while there is a place, and all are served.
TEST_P(QueueSeeds, NobodyWaitsInVain) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  HttpWorld w(GetParam(), 1 + static_cast<int>(GetParam() % 3), 3);
  Random random(GetParam());
  w.set_backend(queueing());
  w.open();
  uint64_t id = 0;
  for (int i = 0; i < 12; ++i) {
    std::vector<Plan> plans;
    for (int j = 0; j < 15; ++j) {
      Plan plan = Plan::draw(random, ++id);
      plan.fate = Fate::kGood;
      plan.delay_ms = static_cast<int>(random.below(200));
      plans.push_back(plan);
    }
    w.clients->start(std::move(plans), {.pause = milliseconds(random.below(4))});
  }
  auto limit_of = [&](const std::string& name) {
    auto record = w.world.configuration().server("app", name);
    return record->takes_requests() ? w.world.configuration().backend_record("app")->max_connections_of(*record) : 0;
  };
  uint64_t most = 0;
  while (!w.clients->are_done()) {
    // For a moment, in which all that is on its way between workers arrives.
    w.world.network().run_for(milliseconds(1));
    auto statistics = w.world.statistics("app");
    most = std::max(most, statistics.counters.queued);
    std::map<std::string, uint64_t> busy;
    for (const auto& server : statistics.servers) busy[server.name] += server.counters.in_flight;
    for (const char* name : {"s0", "s1", "s2"}) {
      if (statistics.counters.queued > 0) ASSERT_GE(busy[name], limit_of(name)) << name << " has room";
    }
    if (!random.chance(0.1)) continue;
    std::string name = "s" + std::to_string(random.below(3));
    if (random.chance(0.5)) {
      w.world.configuration().set_max_connections("app", name, static_cast<uint32_t>(random.between(1, 4)));
    } else {
      // One takes requests always.
      auto state = name != "s0" && random.chance(0.5) ? config::AdminState::kDrain : config::AdminState::kReady;
      w.world.configuration().set_admin_state("app", name, state);
    }
    w.world.publish();
    w.world.network().run_for(milliseconds(1));
  }
  w.expect_all_exact();
  EXPECT_GT(most, 3u);
  EXPECT_EQ(w.world.statistics("app").counters.queued, 0u);
}

}  // namespace
}  // namespace fairlead::sim
