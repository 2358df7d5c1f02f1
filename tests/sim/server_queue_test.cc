// Who belongs to a server by persistence and finds it full may wait for it alone: in one order with those who take any.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"

namespace fairlead::sim {
namespace {

using config::AdminState;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::StartsWith;

config::Backend with_queues(uint32_t for_server) {
  config::Backend settings;
  settings.timeouts.response = settings.timeouts.idle = hours(2);
  settings.default_max_connections = 1;
  settings.queue.timeout = hours(1);
  settings.queue.max_waiting_per_server = for_server;
  settings.persistence.emplace();
  settings.persistence->table.emplace();
  settings.persistence->table->key = *config::parse_hash_key("{header:X-User}");
  settings.persistence->table->max_entries = 100;
  settings.persistence->table->expire = hours(1);
  return settings;
}

// Two servers with a place each.
class ServerQueue : public testing::TestWithParam<int> {
 protected:
  ServerQueue() {
    w_.set_backend(with_queues(4));
    w_.open();
    ask("anna", 1);
    home_ = busy_server();
    other_ = home_ == "s0" ? "s1" : "s0";
    finish_all();
  }
  // Takes so many seconds at the server. Whoever is asked later comes later.
  RawExchange& ask(const std::string& user, int seconds_there) {
    Plan plan{.id = ++last_id_, .response_size = 3, .delay_ms = seconds_there * 1'000};
    std::string head = plan.request_head("a");
    head.insert(head.size() - 2, "X-User: " + user + "\r\nConnection: close\r\n");
    exchanges_.push_back(std::make_unique<RawExchange>(w_, head));
    w_.world.network().run_for(milliseconds(100));
    return *exchanges_.back();
  }
  observe::Counters counters() { return w_.world.statistics("app").counters; }
  observe::Counters of(const std::string& server) {
    observe::Counters sum;
    for (const auto& one : w_.world.statistics("app").servers) {
      if (one.name == server) sum += one.counters;
    }
    return sum;
  }
  std::string busy_server() { return of("s0").in_flight > 0 ? "s0" : "s1"; }
  void set_state(const std::string& server, AdminState state) {
    w_.world.configuration().set_admin_state("app", server, state);
    w_.world.publish();
    w_.world.network().run_for(milliseconds(100));
  }
  void wait(int time_s) { w_.world.network().run_for(seconds(time_s)); }
  void finish_all() {
    for (auto& exchange : exchanges_) exchange->finish();
  }
  void expect_all_served() {
    finish_all();
    for (auto& exchange : exchanges_) EXPECT_THAT(exchange->received, StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(counters().queued, 0u);
    EXPECT_EQ(of("s0").queued + of("s1").queued, 0u);
  }
  // Without the first one.
  std::vector<uint64_t> came() const { return {w_.seen.order.begin() + 1, w_.seen.order.end()}; }

  HttpWorld w_{1, GetParam(), 2};
  uint64_t last_id_ = 0;
  std::string home_;
  std::string other_;
  std::vector<std::unique_ptr<RawExchange>> exchanges_;
};
INSTANTIATE_TEST_SUITE_P(Workers, ServerQueue, testing::Values(1, 2, 3));

TEST_P(ServerQueue, WhoWaitsForItsServerLeavesOthersToOthers) {
  ask("anna", 10);
  ask("anna", 1);
  EXPECT_EQ(of(home_).queued, 1u);
  EXPECT_EQ(counters().queued, 1u);
  ask("ben", 10);
  EXPECT_EQ(of(other_).in_flight, 1u) << "which is free";
  ask("carl", 1);
  EXPECT_EQ(counters().queued, 2u);
  EXPECT_EQ(of(home_).queued, 1u);
  EXPECT_EQ(of(other_).queued, 0u) << "takes any";
  expect_all_served();
  EXPECT_THAT(came(), ElementsAre(2, 4, 3, 5));
  EXPECT_EQ(counters().persisted, 2u);
  EXPECT_EQ(counters().persistence_lost, 0u);
}

TEST_P(ServerQueue, WhoIsOneTooManyGoesToAnotherWhichIsItsFromThenOn) {
  w_.set_backend(with_queues(1));
  ask("anna", 10);
  ask("anna", 1);
  EXPECT_EQ(of(home_).queued, 1u);
  ask("anna", 1);
  EXPECT_EQ(of(other_).in_flight, 1u);
  EXPECT_EQ(counters().persistence_lost, 1u);
  expect_all_served();
  ask("anna", 1);
  EXPECT_EQ(busy_server(), other_);
  finish_all();
}

TEST_P(ServerQueue, NobodyWaitsForOneServerByDefault) {
  config::Backend settings = with_queues(0);
  settings.queue.max_waiting_per_server.reset();
  w_.set_backend(settings);
  ask("anna", 10);
  ask("anna", 1);
  EXPECT_EQ(counters().queued, 0u);
  EXPECT_EQ(of(other_).in_flight, 1u);
  expect_all_served();
}

TEST_P(ServerQueue, APlaceGoesToWhoCameFirstOfBothKinds) {
  ask("anna", 10);
  ask("ben", 100);
  ask("carl", 1);
  ask("anna", 1);
  ask("dora", 1);
  ask("anna", 1);
  EXPECT_EQ(counters().queued, 4u);
  EXPECT_EQ(of(home_).queued, 2u);
  expect_all_served();
  EXPECT_THAT(came(), ElementsAre(2, 3, 4, 5, 6, 7));
}

// Those who take any cannot use a place of a server that only its own come back to.
TEST_P(ServerQueue, WhoWaitsForAServerThatDrainsIsServedThere) {
  ask("anna", 10);
  ask("ben", 60);
  ask("carl", 1);
  ask("anna", 1);
  ask("anna", 1);
  set_state(home_, AdminState::kDrain);
  EXPECT_EQ(counters().queued, 3u);
  wait(20);
  EXPECT_EQ(counters().queued, 1u) << "Carl's";
  expect_all_served();
  EXPECT_THAT(came(), ElementsAre(2, 3, 5, 6, 4));
  EXPECT_EQ(counters().persistence_lost, 0u);
}

TEST_P(ServerQueue, WhenAllDrainTheirOwnAreServed) {
  ask("anna", 10);
  ask("anna", 1);
  set_state(home_, AdminState::kDrain);
  set_state(other_, AdminState::kDrain);
  ask("ben", 1).finish();
  EXPECT_THAT(exchanges_.back()->received, StartsWith("HTTP/1.1 503 "));
  exchanges_.pop_back();
  EXPECT_EQ(of(home_).queued, 1u);
  expect_all_served();
}

TEST_P(ServerQueue, WhenTheServerTakesItsClientsNoMoreTheyTakeAny) {
  for (bool is_deleted : {false, true}) {
    ask("anna", 1);
    const std::string home = busy_server();
    const std::string other = home == "s0" ? "s1" : "s0";
    finish_all();
    exchanges_.clear();
    w_.seen.order.clear();
    const uint64_t first = last_id_ + 1;
    const std::string round = is_deleted ? "2" : "1";
    ask("anna", 10);
    ask("ben" + round, 5);
    ask("anna", 1);
    ask("carl" + round, 1);
    ask("anna", 1);
    EXPECT_EQ(of(home).queued, 2u);
    if (is_deleted) {
      w_.world.delete_server("app", home, std::nullopt, [](uint64_t) {});
      w_.world.publish();
      wait(1);
    } else {
      set_state(home, AdminState::kMaintenance);
    }
    EXPECT_EQ(counters().queued, 3u);
    finish_all();
    EXPECT_THAT(w_.seen.order, ElementsAre(first, first + 1, first + 2, first + 3, first + 4))
        << "in the order of coming";
    expect_all_served();
    if (!is_deleted) set_state(home, AdminState::kReady);
  }
}

TEST_P(ServerQueue, EveryoneThereIsRoomForGoesOnWhenALimitIsRaised) {
  ask("anna", 100);
  for (int i = 0; i < 4; ++i) ask("anna", 100);
  ask("ben", 100);
  ask("carl", 100);
  EXPECT_EQ(of(home_).queued, 4u);
  w_.world.configuration().set_max_connections("app", home_, 4);
  w_.world.publish();
  wait(1);
  EXPECT_EQ(of(home_).in_flight, 4u);
  EXPECT_EQ(of(home_).queued, 1u);
  EXPECT_EQ(counters().queued, 2u);
  w_.world.configuration().set_max_connections("app", home_, 0);
  w_.world.publish();
  wait(1);
  EXPECT_EQ(counters().queued, 0u);
  expect_all_served();
}

TEST_P(ServerQueue, NoLongerThanTheTimeout) {
  config::Backend settings = with_queues(4);
  settings.queue.timeout = seconds(3);
  w_.set_backend(settings);
  ask("anna", 60);
  RawExchange& late = ask("anna", 1);
  ask("anna", 1);
  late.finish();
  EXPECT_THAT(late.received, StartsWith("HTTP/1.1 503 "));
  EXPECT_GE(late.took, seconds(3));
  EXPECT_LT(late.took, seconds(4));
  finish_all();
  EXPECT_EQ(counters().queue_timeouts, 2u);
  EXPECT_EQ(of(home_).queued, 0u);
  EXPECT_EQ(counters().queued, 0u);
}

}  // namespace
}  // namespace fairlead::sim
