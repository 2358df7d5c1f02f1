// What a backend has at a time, and what becomes of its connections: circuit limits, limits that grow with the load,
// reuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::StartsWith;

config::Backend patient() {
  config::Backend settings;
  settings.timeouts.response = settings.timeouts.idle = settings.timeouts.connect = hours(2);
  return settings;
}

class Circuit : public testing::Test {
 protected:
  explicit Circuit() {
    w_.set_backend(patient());
    w_.open();
  }
  RawExchange& ask(int delay_ms = 10'000, Fate fate = Fate::kGood) {
    Plan plan{.id = ++last_id_, .response_size = 3, .delay_ms = delay_ms, .fate = fate};
    std::string head = plan.request_head("a");
    exchanges_.push_back(
        std::make_unique<RawExchange>(w_, head.substr(0, head.size() - 2) + "Connection: close\r\n\r\n"));
    w_.world.network().run_for(milliseconds(100));
    return *exchanges_.back();
  }
  observe::Counters counters() { return w_.world.statistics("app").counters; }
  void finish_all() {
    for (auto& exchange : exchanges_) exchange->finish();
  }

  HttpWorld w_{1, 2, 1};
  uint64_t last_id_ = 0;
  std::vector<std::unique_ptr<RawExchange>> exchanges_;
};

TEST_F(Circuit, RefusesAtOnceWhatIsMoreThanTheBackendMayHave) {
  config::Backend settings = patient();
  settings.circuit.max_requests = 3;
  settings.default_max_connections = 2;
  w_.set_backend(settings);
  for (int i = 0; i < 3; ++i) ask();
  EXPECT_EQ(counters().in_flight, 2u);
  EXPECT_EQ(counters().queued, 1u);
  EXPECT_THAT(ask().received, StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(counters().circuit_refused, 1u);
  settings.circuit.max_requests = 4;
  w_.set_backend(settings);
  ask();
  EXPECT_EQ(counters().queued, 2u);
  EXPECT_THAT(ask().received, StartsWith("HTTP/1.1 503 "));
  finish_all();
  EXPECT_THAT(ask(0).received, StartsWith("HTTP/1.1 200 "));
}

TEST_F(Circuit, WhatBeganBeforeALimitIsNotCountedAndLeavesNothingBehind) {
  for (int i = 0; i < 3; ++i) ask();
  config::Backend settings = patient();
  settings.circuit.max_requests = 1;
  w_.set_backend(settings);
  ask();
  EXPECT_THAT(ask().received, StartsWith("HTTP/1.1 503 "));
  // One that was counted ends where nothing is counted.
  w_.set_backend(patient());
  finish_all();
  w_.set_backend(settings);
  EXPECT_THAT(ask(0).received, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(0).received, StartsWith("HTTP/1.1 200 "));
}

TEST_F(Circuit, RetriesAtATime) {
  config::Backend settings = patient();
  settings.circuit.max_retries = 1;
  settings.retry.conditions = {config::RetryCondition::kEmptyResponse};
  settings.retry.attempts = 1;
  settings.retry.back_off.base = seconds(10);
  settings.pool.max_idle = 0;
  w_.set_backend(settings);
  RawExchange& first = ask(0, Fate::kCloseBeforeHead);
  RawExchange& second = ask(0, Fate::kCloseBeforeHead);
  EXPECT_THAT(second.received, StartsWith("HTTP/1.1 502 ")) << "while the first is about to be tried again";
  EXPECT_EQ(counters().retries_refused, 1u);
  first.finish();
  EXPECT_EQ(w_.seen.requests[1], 2);
  RawExchange& third = ask(0, Fate::kCloseBeforeHead);
  third.finish();
  EXPECT_EQ(w_.seen.requests[3], 2);
}

// Two workers: each may have one whatever the limit.
TEST_F(Circuit, ConnectionsAtATime) {
  config::Backend settings = patient();
  settings.circuit.max_connections = 3;
  w_.set_backend(settings);
  int refused = 0;
  for (int i = 0; i < 12; ++i) refused += ask(60'000).received.starts_with("HTTP/1.1 503 ") ? 1 : 0;
  EXPECT_GE(refused, 8);
  EXPECT_EQ(counters().in_flight + static_cast<uint64_t>(refused), 12u);
  EXPECT_EQ(counters().circuit_refused, static_cast<uint64_t>(refused));
  EXPECT_EQ(counters().retried, 0u);
  EXPECT_EQ(counters().failed[static_cast<int>(observe::Failure::kFull)], static_cast<uint64_t>(refused));
  finish_all();
  // Idle ones are in nobody's way.
  const std::string added = w_.add_origin();
  w_.world.configuration().set_admin_state("app", "s0", config::AdminState::kMaintenance);
  w_.world.publish();
  for (int i = 0; i < 6; ++i) {
    RawExchange& exchange = ask(0);
    exchange.finish();
    EXPECT_THAT(exchange.received, StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_EQ(counters().circuit_refused, static_cast<uint64_t>(refused));
  settings.circuit.max_connections = 0;
  w_.set_backend(settings);
  for (int i = 0; i < 6; ++i) ask(1'000);
  EXPECT_EQ(counters().in_flight, 6u);
  finish_all();
}

TEST_F(Circuit, LimitsGrowWithTheLoad) {
  config::Backend settings = patient();
  settings.default_max_connections = 10;
  settings.min_connections = 2;
  settings.full_connections = 20;
  w_.set_backend(settings);
  // One half of the load, rounded down, and 2 at least.
  const std::vector<uint64_t> expected{1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6};
  for (size_t i = 0; i < expected.size(); ++i) {
    ask(60'000);
    EXPECT_EQ(counters().in_flight, expected[i]) << i + 1 << " in all";
    EXPECT_EQ(counters().queued, i + 1 - expected[i]);
  }
  for (int i = 0; i < 10; ++i) ask(60'000);
  EXPECT_EQ(counters().in_flight, 10u) << "and no more than the limit";
  finish_all();
  EXPECT_EQ(counters().queued, 0u);
}

TEST_F(Circuit, ALimitGrowsFromTheServersOwnLeast) {
  config::Backend settings = patient();
  settings.default_max_connections = 10;
  settings.full_connections = 20;
  w_.set_backend(settings);
  w_.world.configuration().set_min_connections("app", "s0", 4);
  w_.world.publish();
  const std::vector<uint64_t> expected{1, 2, 3, 4, 4, 4, 4, 4, 4, 5, 5, 6};
  for (size_t i = 0; i < expected.size(); ++i) {
    ask(60'000);
    EXPECT_EQ(counters().in_flight, expected[i]) << i + 1 << " in all";
    EXPECT_EQ(counters().queued, i + 1 - expected[i]);
  }
  // Changed in place, it holds for who waits.
  w_.world.configuration().set_min_connections("app", "s0", 8);
  w_.world.publish();
  w_.world.network().run_for(milliseconds(1));
  EXPECT_EQ(counters().in_flight, 8u);
  EXPECT_EQ(counters().queued, 4u);
  // One that is not to grow.
  w_.world.configuration().set_min_connections("app", "s0", 0);
  w_.world.publish();
  w_.world.network().run_for(milliseconds(1));
  EXPECT_EQ(counters().in_flight, 10u);
  EXPECT_EQ(counters().queued, 2u);
  finish_all();
  EXPECT_EQ(counters().queued, 0u);
}

class Reuse : public testing::Test {
 protected:
  Reuse() { w_.open(); }
  // So many requests on each of so many connections, one after the other; gives how many connections the server saw.
  int connections(const config::PoolSettings& pool, int of_client, int requests) {
    config::Backend settings = patient();
    settings.pool = pool;
    w_.set_backend(settings);
    int before = w_.origins.at("s0")->accepted();
    for (int i = 0; i < of_client; ++i) {
      std::vector<Plan> plans;
      for (int j = 0; j < requests; ++j) plans.push_back({.id = ++last_id_, .response_size = 3});
      w_.clients->start(std::move(plans));
      w_.run_clients();
    }
    w_.expect_all_exact();
    return w_.origins.at("s0")->accepted() - before;
  }

  HttpWorld w_{1, 1, 1};
  uint64_t last_id_ = 0;
};

TEST_F(Reuse, AlwaysByDefault) { EXPECT_EQ(connections({}, 3, 5), 1); }
TEST_F(Reuse, NeverIsAConnectionForEachRequest) {
  EXPECT_EQ(connections({.reuse = config::PoolReuse::kNever}, 2, 5), 10);
}
TEST_F(Reuse, SafeIsANewOneForTheFirstRequestOfAClient) {
  EXPECT_EQ(connections({.reuse = config::PoolReuse::kSafe}, 3, 5), 3);
}
TEST_F(Reuse, NoMoreRequestsThanMayBe) {
  EXPECT_EQ(connections({.max_requests = 4}, 1, 12), 3);
  EXPECT_EQ(connections({.max_requests = 1}, 1, 3), 3);
}

}  // namespace
}  // namespace fairlead::sim
