// A second server is asked where the first is slow to answer; who answers first is heard, and the other is gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/sleep.h"
#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::StartsWith;

config::Backend hedged(Duration after = seconds(1)) {
  config::Backend settings;
  settings.timeouts.response = settings.timeouts.idle = settings.timeouts.connect = hours(2);
  settings.retry.hedge_after = after;
  return settings;
}

class Hedging : public testing::Test {
 protected:
  explicit Hedging() {
    w_.set_backend(hedged());
    w_.open();
  }
  std::unique_ptr<RawExchange> begin(const Plan& plan) {
    std::string head = plan.request_head("a");
    return std::make_unique<RawExchange>(
        w_, head.substr(0, head.size() - 2) + "Connection: close\r\n\r\n" + plan.request_body());
  }
  // What a client gets, and in which time.
  std::string talk(const Plan& plan) {
    std::unique_ptr<RawExchange> exchange = begin(plan);
    exchange->finish();
    took_ = exchange->took;
    return exchange->received;
  }
  int tries_of_two_at_once() {
    Plan first{.id = 1, .delay_ms = 20'000};
    Plan second{.id = 2, .delay_ms = 20'000};
    auto one = begin(first), other = begin(second);
    one->finish();
    other->finish();
    return tries(first) + tries(second);
  }
  int tries(const Plan& plan) { return w_.seen.requests[plan.id]; }
  observe::BackendStatistics statistics() { return w_.world.statistics("app"); }
  observe::Counters counters() { return statistics().counters; }
  uint64_t outrun() {
    uint64_t sum = 0;
    for (const observe::ServerStatistics& server : statistics().servers) sum += server.counters.outrun;
    return sum;
  }
  void expect_nothing_left() {
    EXPECT_EQ(counters().in_flight, 0u);
    for (const observe::ServerStatistics& server : statistics().servers) {
      const observe::Counters& counted = server.counters;
      uint64_t ended = counted.finished + counted.outrun;
      for (uint64_t failed : counted.failed) ended += failed;
      EXPECT_EQ(counted.in_flight, 0u);
      EXPECT_EQ(counted.started, ended);
    }
  }

  HttpWorld w_{1, 1, 2};
  Duration took_{};
};

TEST_F(Hedging, ASecondServerAnswersWhereTheFirstIsSilent) {
  Plan plan{.id = 1, .response_size = 100'000, .fate = Fate::kSilence, .fated_tries = 1};
  std::string received = talk(plan);
  EXPECT_THAT(received, StartsWith("HTTP/1.1 200 "));
  EXPECT_NE(received.find(plan.expected_body()), std::string::npos);
  EXPECT_EQ(tries(plan), 2);
  EXPECT_GE(took_, seconds(1));
  EXPECT_LT(took_, seconds(10));
  EXPECT_EQ(counters().hedged, 1u);
  EXPECT_EQ(counters().hedges_won, 1u);
  EXPECT_EQ(counters().retried, 1u);
  EXPECT_EQ(outrun(), 1u);
  expect_nothing_left();
}

TEST_F(Hedging, TheFirstServerIsHeardWhereItAnswersFirst) {
  Plan plan{.id = 1, .response_size = 100'000, .delay_ms = 20'000};
  std::string received = talk(plan);
  EXPECT_THAT(received, StartsWith("HTTP/1.1 200 "));
  EXPECT_NE(received.find(plan.expected_body()), std::string::npos);
  EXPECT_EQ(tries(plan), 2);
  EXPECT_LT(took_, seconds(40));
  EXPECT_EQ(counters().hedged, 1u);
  EXPECT_EQ(counters().hedges_won, 0u);
  EXPECT_EQ(outrun(), 1u);
  expect_nothing_left();
}

TEST_F(Hedging, NothingIsSentTwiceThatIsAnsweredInTime) {
  for (uint64_t id = 1; id <= 20; ++id) EXPECT_THAT(talk({.id = id, .delay_ms = 1}), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(counters().hedged, 0u);
}

// Without any condition for a retry: it was sent already.
TEST_F(Hedging, TheSecondServerIsReliedOnWhereTheFirstFails) {
  for (Fate fate : {Fate::kResetBeforeHead, Fate::kCloseBeforeHead}) {
    Plan plan{.id = 10 + static_cast<uint64_t>(fate), .delay_ms = 20'000, .fate = fate, .fated_tries = 1};
    EXPECT_THAT(talk(plan), StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(tries(plan), 2);
  }
  EXPECT_EQ(counters().hedges_won, 2u);
  EXPECT_EQ(outrun(), 0u);
  expect_nothing_left();
}

TEST_F(Hedging, WhereBothFailThatIsTold) {
  Plan plan{.id = 1, .delay_ms = 20'000, .fate = Fate::kResetBeforeHead};
  EXPECT_THAT(talk(plan), StartsWith("HTTP/1.1 502 "));
  EXPECT_EQ(tries(plan), 2);
  expect_nothing_left();
  config::Backend settings = hedged();
  settings.timeouts.response = seconds(5);
  w_.set_backend(settings);
  Plan silent{.id = 2, .fate = Fate::kSilence};
  EXPECT_THAT(talk(silent), StartsWith("HTTP/1.1 504 "));
  EXPECT_EQ(tries(silent), 2);
  // The second has its own time.
  EXPECT_GE(took_, seconds(6));
  expect_nothing_left();
}

TEST_F(Hedging, ARetryMayFollowWhereBothFail) {
  config::Backend settings = hedged();
  settings.retry.conditions = {config::RetryCondition::kReset};
  w_.set_backend(settings);
  Plan plan{.id = 1, .delay_ms = 20'000, .fate = Fate::kResetBeforeHead, .fated_tries = 2};
  EXPECT_THAT(talk(plan), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(plan), 3);
  EXPECT_EQ(counters().hedged, 1u) << "once for each request";
  expect_nothing_left();
}

TEST_F(Hedging, OnlyWhatMayBeDoneTwice) {
  Plan post{.id = 1, .method = "POST", .request_size = 9, .delay_ms = 20'000};
  EXPECT_THAT(talk(post), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(post), 1);
  Plan put{.id = 2, .method = "PUT", .request_size = 9, .delay_ms = 20'000};
  EXPECT_THAT(talk(put), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(put), 2);
  EXPECT_TRUE(w_.seen.wrong_bodies.empty());
  Plan upload{.id = 3, .method = "PUT", .request_size = 300'000, .delay_ms = 20'000};
  EXPECT_THAT(talk(upload), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(upload), 1);
  config::Backend settings = hedged();
  settings.persistence.emplace().table.emplace();
  w_.set_backend(settings);
  Plan sticky{.id = 4, .delay_ms = 20'000};
  EXPECT_THAT(talk(sticky), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(sticky), 1);
}

TEST_F(Hedging, OnlyWhereAnotherServerHasAPlace) {
  config::Backend settings = hedged();
  settings.default_max_connections = 1;
  w_.set_backend(settings);
  EXPECT_EQ(tries_of_two_at_once(), 2);
  EXPECT_EQ(counters().hedged, 0u);
  w_.set_backend(hedged());
  w_.world.configuration().set_admin_state("app", "s1", config::AdminState::kMaintenance);
  w_.world.publish();
  Plan alone{.id = 3, .delay_ms = 20'000};
  EXPECT_THAT(talk(alone), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(alone), 1);
}

TEST_F(Hedging, NotMoreThanRetriesMayBe) {
  config::Backend settings = hedged();
  settings.circuit.max_retries = 1;
  w_.set_backend(settings);
  EXPECT_EQ(tries_of_two_at_once(), 3);
  EXPECT_EQ(counters().retries_refused, 1u);
  expect_nothing_left();
}

runtime::Task<void> leave_after(HttpWorld& w, std::string request, Duration time) {
  HttpPeer peer(w.world.clients(), w.address);
  co_await peer.connected();
  co_await peer.send(std::move(request));
  co_await runtime::Sleep(w.world.clients().loop, w.world.clients().loop.now() + time);
  peer.stream().reset_on_close();
}

TEST_F(Hedging, AClientThatLeavesTakesBothAway) {
  Plan plan{.id = 1, .fate = Fate::kSilence};
  runtime::Scope scope(w_.world.clients().loop);
  scope.spawn(leave_after(w_, plan.request_head("a"), seconds(5)));
  ASSERT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(tries(plan), 2);
  TimePoint left = w_.world.network().now();
  ASSERT_TRUE(w_.world.run_until([&] { return counters().in_flight == 0; }));
  EXPECT_LT(w_.world.network().now() - left, seconds(5));
  expect_nothing_left();
}

// Also where only the second is left to be left.
TEST_F(Hedging, AClientThatLeavesTakesTheOneAwayThatIsReliedOn) {
  Plan plan{.id = 1, .delay_ms = 20'000, .fate = Fate::kResetBeforeHead, .fated_tries = 1};
  runtime::Scope scope(w_.world.clients().loop);
  scope.spawn(leave_after(w_, plan.request_head("a"), milliseconds(20'500)));
  ASSERT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
  ASSERT_TRUE(w_.world.run_until([&] { return counters().in_flight == 0; }));
  EXPECT_EQ(tries(plan), 2);
  EXPECT_EQ(counters().failed[static_cast<int>(observe::Failure::kClient)], 1u);
  EXPECT_EQ(counters().hedges_won, 0u);
  expect_nothing_left();
}

// Over rough networks, with a hedge for nearly everything.
TEST(HedgingOfAll, EveryRequestGetsExactlyItsOwnResponse) {
  uint64_t hedges = 0;
  for (uint64_t seed = 1; seed <= 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    HttpWorld w(seed, 1 + static_cast<int>(seed % 2));
    Random random(seed);
    w.world.network().faults() = SimFaults::rough(random);
    w.set_backend(hedged(milliseconds(random.between(1, 300))));
    w.open();
    uint64_t last_id = 0;
    for (int i = 0; i < 4; ++i) {
      std::vector<Plan> plans;
      for (int j = 0; j < 8; ++j) plans.push_back(Plan::draw(random, ++last_id));
      w.clients->start(std::move(plans), ClientOptions{.pipelined = random.chance(0.3) ? 4 : 1});
    }
    w.run_clients();
    w.expect_safe();
    for (const auto& [id, answer] : w.clients->answers()) {
      EXPECT_TRUE(answer.outcome == Outcome::kExact) << w.clients->plans().at(id).encode() << ": " << answer.note;
      EXPECT_LE(w.seen.requests[id], 2 + 2);
    }
    hedges += w.world.statistics("app").counters.hedged;
  }
  EXPECT_GT(hedges, 100u);
}

}  // namespace
}  // namespace fairlead::sim
