// Ejections under real requests and virtual time: who is ejected, for how long, and that enough remain.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "runtime/sleep.h"
#include "sim_world/outlier_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A server that answers as the test says at the moment.
struct Machine {
  static constexpr int kReset = 0;
  static constexpr int kGarbage = 1;

  std::unique_ptr<ScriptedServer> server;
  // Or one of these two.
  int status = 200;
  // Of ten requests so many get another status than 200; the rest is well.
  int of_ten = 10;
  // Empty: no member.
  std::string name;
  int requests = 0;
  int checks = 0;
  int check_status = 200;
};

class Outliers : public testing::Test {
 protected:
  void start(int machines, const config::OutlierDetection& detection,
             const std::optional<config::HealthCheck>& check = std::nullopt) {
    w_.set(detection, check);
    machines_.resize(static_cast<size_t>(machines));
    int number = 0;
    for (Machine& machine : machines_) {
      machine.server =
          std::make_unique<ScriptedServer>(w_.world, [this, &machine](HttpPeer& peer) { return serve(peer, machine); });
      machine.name = "s" + std::to_string(number++);
      w_.add(machine.name, machine.server->address());
    }
    config::Listener listener;
    listener.default_backend = "app";
    address_ = w_.world.open_listener("web", listener);
    // At each moment, whatever was decided.
    w_.on_told = [this, detection] {
      most_ejected_ = std::max(most_ejected_, w_.ejected());
      // Those that return because there are fewer servers do so one after the other.
      bool has_ejected = !w_.told.empty() && w_.told.back().is_ejected;
      if (has_ejected) {
        EXPECT_LE(w_.ejected(), detection.ejected_max(w_.servers()));
      }
    };
  }
  void begin_load(int clients = 4) {
    for (int client = 0; client < clients; ++client) clients_.spawn(ask());
  }
  void end_load() {
    over_ = true;
    EXPECT_TRUE(w_.world.run_until([&] { return clients_.running() == 0; }, minutes(1)));
  }
  void TearDown() override {
    end_load();
    w_.close();
    w_.world.shut_down();
  }

  Task<void> serve(HttpPeer& peer, Machine& machine) {
    while (true) {
      std::optional<PeerHead> head = co_await peer.read_head();
      if (!head) co_return;
      bool is_check = head->start_line.starts_with("GET /healthz ");
      (is_check ? machine.checks : machine.requests) += 1;
      int status = is_check ? machine.check_status : machine.status;
      if (!is_check && machine.requests % 10 >= machine.of_ten) status = 200;
      co_await runtime::Sleep(w_.world.origins().loop, w_.world.network().now() + milliseconds(2));
      if (status == Machine::kReset) w_.world.origins().driver.reset(peer.stream().channel().fd());
      if (status == Machine::kReset) co_return;
      std::string answer = status == Machine::kGarbage
                               ? "SSH-2.0\r\n\r\n"
                               : "HTTP/1.1 " + std::to_string(status) + " Whatever\r\nContent-Length: 0\r\n\r\n";
      bool sent = co_await peer.send(std::move(answer));
      if (!sent) co_return;
    }
  }
  Task<void> ask() {
    while (!over_) {
      HttpPeer peer(w_.world.clients(), address_);
      bool connected = co_await peer.connected();
      while (connected && !over_) {
        bool sent = co_await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        std::optional<PeerHead> head;
        if (sent) head = co_await peer.read_head();
        ++answers_[head ? head->status() : 0];
        if (!head) break;
        // What stands in for a server that failed has a body, which nobody looks at.
        co_await peer.read_body(*head, false);
        co_await runtime::Sleep(w_.world.clients().loop, w_.world.network().now() + milliseconds(10));
      }
    }
  }
  // "s0 +5 errors in a row (30s)", "s0 -its time is over".
  std::vector<std::string> told() {
    std::vector<std::string> result;
    for (const OutlierWorld::Told& one : std::exchange(w_.told, {})) {
      std::string time = " (" + std::to_string(std::chrono::duration_cast<seconds>(one.time).count()) + "s)";
      result.push_back(one.name + (one.is_ejected ? " +" : " -") + one.reason + (one.is_ejected ? time : ""));
    }
    return result;
  }

  const char* given_ = std::getenv("FAIRLEAD_TEST_SEED");
  const uint64_t seed_ = given_ ? std::strtoull(given_, nullptr, 10) : std::random_device()();
  testing::ScopedTrace trace_{__FILE__, __LINE__, "FAIRLEAD_TEST_SEED=" + std::to_string(seed_)};
  OutlierWorld w_{seed_};
  std::vector<Machine> machines_;
  config::Endpoint address_;
  runtime::Scope clients_{w_.world.clients().loop};
  bool over_ = false;
  std::map<int, int> answers_;
  size_t most_ejected_ = 0;
};

TEST_F(Outliers, OneThatFailsIsEjectedAfterSoManyErrorsAndLongerEachTime) {
  start(4, {.max_ejection_time = seconds(75)});
  machines_[0].status = 503;
  begin_load(4);
  w_.run_for(seconds(5));
  EXPECT_THAT(told(), ElementsAre("s0 +5 errors in a row (30s)"));
  // What was under way when the fifth came, at most.
  EXPECT_GE(machines_[0].requests, 5);
  EXPECT_LE(machines_[0].requests, 5 + 3);
  int before = machines_[0].requests;
  w_.run_for(seconds(24));
  EXPECT_EQ(machines_[0].requests, before) << "it takes nothing";
  // It returns, and is as bad as it was.
  w_.run_for(seconds(5));
  EXPECT_THAT(told(), ElementsAre("s0 -its time is over", "s0 +5 errors in a row (60s)"));
  w_.run_for(seconds(60));
  EXPECT_THAT(told(), ElementsAre("s0 -its time is over", "s0 +5 errors in a row (75s)")) << "the longest";
  // Now it is well: of three ejections one is forgiven for each 30 seconds.
  machines_[0].status = 200;
  w_.run_for(seconds(75 + 35));
  EXPECT_THAT(told(), ElementsAre("s0 -its time is over"));
  machines_[0].status = 500;
  w_.run_for(seconds(1));
  EXPECT_THAT(told(), ElementsAre("s0 +5 errors in a row (75s)")) << "two are left, and this is the third";
  machines_[0].status = 200;
  w_.run_for(minutes(5));
  told();
  machines_[0].status = 500;
  w_.run_for(seconds(1));
  EXPECT_THAT(told(), ElementsAre("s0 +5 errors in a row (30s)")) << "all were forgiven";
}

TEST_F(Outliers, SuccessesBetweenErrorsAreNoRow) {
  start(3, {});
  machines_[1].status = 500;
  machines_[1].of_ten = 4;
  begin_load(1);
  w_.run_for(minutes(1));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_GT(answers_[500], 100);
  machines_[2].status = 501;
  w_.run_for(minutes(1));
  EXPECT_THAT(told(), IsEmpty()) << "it does not know the method: that is about the request";
}

TEST_F(Outliers, GatewayErrorsAreCountedApart) {
  start(5, {.consecutive_errors = 0, .consecutive_gateway_errors = 3, .max_ejected_percent = 100});
  machines_[1].status = 500;
  machines_[2].status = 504;
  machines_[3].status = Machine::kReset;
  machines_[4].status = Machine::kGarbage;
  begin_load(1);
  w_.run_for(seconds(5));
  auto all = told();
  std::ranges::sort(all);
  EXPECT_THAT(all, ElementsAre("s2 +3 gateway errors in a row (30s)", "s3 +3 gateway errors in a row (30s)",
                               "s4 +3 gateway errors in a row (30s)"));
}

TEST_F(Outliers, OnlyConnectionsCountWhereOnlyTheyAreObserved) {
  start(4, {.observe = config::Observed::kConnections, .consecutive_errors = 3});
  machines_[1].status = 503;
  machines_[2].status = Machine::kReset;
  machines_[3].status = Machine::kGarbage;
  begin_load(1);
  w_.run_for(seconds(5));
  EXPECT_THAT(told(), ElementsAre("s2 +3 errors in a row (30s)"));
}

TEST_F(Outliers, TheShareHoldsWhereAllFail) {
  config::OutlierDetection detection{.base_ejection_time = seconds(2), .max_ejected_percent = 35};
  start(10, detection);
  for (Machine& machine : machines_) machine.status = 500;
  begin_load(8);
  w_.run_for(minutes(3));
  EXPECT_EQ(most_ejected_, 3u);
  std::set<std::string> all;
  for (const auto& one : w_.told) all.insert(one.name);
  EXPECT_EQ(all.size(), 10u) << "each has its turn";
  EXPECT_EQ(answers_[503], 0) << "somebody always takes requests";
  observe::EjectionStatistics statistics = w_.outliers.statistics().at(0);
  EXPECT_GT(statistics.refused, 100u);
  EXPECT_LE(statistics.ejected, 3u);
  EXPECT_GT(statistics.ejections, 30u);
}

TEST_F(Outliers, TheLastOneRemains) {
  start(1, {});
  machines_[0].status = 500;
  begin_load(2);
  w_.run_for(minutes(1));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(Outliers, FailuresOfAnIntervalAreCompared) {
  config::OutlierDetection detection{.consecutive_errors = 0, .interval = seconds(2)};
  detection.failure_percentage = {.threshold = 50, .min_requests = 20, .min_servers = 4};
  start(5, detection);
  machines_[0].status = 500;
  machines_[0].of_ten = 4;
  machines_[1].status = 500;
  machines_[1].of_ten = 6;
  begin_load(4);
  w_.run_for(seconds(6));
  auto all = told();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(all[0], HasSubstr("s1 +"));
  EXPECT_THAT(all[0], HasSubstr(" requests failed, threshold 50% (30s)"));
  // With fewer servers that have enough requests nobody is.
  w_.remove("s4");
  machines_[0].of_ten = 10;
  w_.run_for(seconds(10));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(Outliers, SuccessRatesAreComparedWithTheMean) {
  config::OutlierDetection detection{.consecutive_errors = 0, .interval = seconds(2)};
  detection.success_rate = {.min_requests = 20, .min_servers = 5, .deviation_percent = 150};
  start(6, detection);
  begin_load(6);
  w_.run_for(seconds(6));
  EXPECT_THAT(told(), IsEmpty()) << "all are the same";
  machines_[3].status = 500;
  machines_[3].of_ten = 5;
  w_.run_for(seconds(6));
  auto all = told();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(all[0], HasSubstr("s3 +successes "));
}

config::HealthCheck check() {
  config::HealthCheck check;
  check.kind.emplace<config::HttpCheck>().path = "/healthz";
  check.interval = seconds(10);
  check.fast_interval = seconds(1);
  check.fall = 3;
  check.rise = 2;
  return check;
}

TEST_F(Outliers, ASuccessfulCheckEndsAnEjection) {
  start(3, {}, check());
  w_.run_for(seconds(15));
  machines_[0].status = 500;
  begin_load(3);
  w_.run_for(milliseconds(500));
  EXPECT_THAT(told(), ElementsAre("s0 +5 errors in a row (30s)"));
  machines_[0].status = 200;
  w_.run_for(seconds(11));
  EXPECT_THAT(told(), ElementsAre("s0 -check: status 200"));
  EXPECT_FALSE(w_.is_down("s0"));
}

TEST_F(Outliers, ChecksDoNotEndItWhereTheyAreNotAskedTo) {
  start(3, {.return_by_check = false}, check());
  machines_[0].status = 500;
  begin_load(3);
  w_.run_for(seconds(29));
  EXPECT_THAT(told(), ElementsAre("s0 +5 errors in a row (30s)"));
  machines_[0].status = 200;
  w_.run_for(seconds(5));
  EXPECT_THAT(told(), ElementsAre("s0 -its time is over"));
}

TEST_F(Outliers, ErrorsMayCountAsAFailedCheck) {
  start(3, {.on_error = config::OnError::kFailCheck}, check());
  w_.run_for(seconds(15));
  w_.checks.clear();
  begin_load(3);
  machines_[0].status = 500;
  // Checks succeed: each time five errors came, one is made at once, and ends the row of failures.
  w_.run_for(seconds(2));
  EXPECT_THAT(w_.checks, IsEmpty());
  EXPECT_GT(machines_[0].checks, 5);
  EXPECT_LT(machines_[1].checks, 4);
  // When they fail as well it is soon known.
  machines_[0].check_status = 503;
  w_.run_for(seconds(1));
  ASSERT_FALSE(w_.checks.empty());
  EXPECT_TRUE(w_.is_down("s0"));
  EXPECT_THAT(told(), IsEmpty()) << "nobody is ejected";
}

TEST_F(Outliers, ErrorsMayMarkDown) {
  start(3, {.on_error = config::OnError::kMarkDown}, check());
  w_.run_for(seconds(15));
  w_.checks.clear();
  begin_load(3);
  machines_[0].status = 500;
  w_.run_for(milliseconds(500));
  EXPECT_THAT(w_.checks, ElementsAre("down: observed: 5 errors in a row"));
  EXPECT_TRUE(w_.is_down("s0"));
  machines_[0].status = 200;
  w_.run_for(seconds(12));
  EXPECT_THAT(w_.checks, ElementsAre("down: observed: 5 errors in a row", "up: status 200"));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(Outliers, ErrorsMayLetChecksComeSooner) {
  start(3, {.on_error = config::OnError::kFastInterval}, check());
  w_.run_for(seconds(15));
  w_.checks.clear();
  machines_[0].status = 500;
  machines_[0].check_status = 503;
  begin_load(3);
  w_.run_for(seconds(4));
  // Ten seconds lie between two of them otherwise.
  EXPECT_THAT(w_.checks, ElementsAre("down: status: 503, expected 200-399"));
}

TEST_F(Outliers, SettingsThatChangeInPlaceKeepWhoIsEjected) {
  start(4, {});
  machines_[0].status = 500;
  begin_load(4);
  w_.run_for(seconds(5));
  EXPECT_THAT(told(), ElementsAre("s0 +5 errors in a row (30s)"));
  w_.on_told = [] {};
  w_.set(config::OutlierDetection{.consecutive_errors = 2, .base_ejection_time = seconds(10)});
  w_.run_for(seconds(20));
  EXPECT_TRUE(w_.is_ejected("s0"));
  w_.run_for(seconds(6));
  EXPECT_THAT(told(), ElementsAre("s0 -its time is over", "s0 +2 errors in a row (20s)"));
  // Fewer may be ejected: it returns at once.
  w_.set(config::OutlierDetection{.max_ejected_percent = 10});
  w_.run_for(seconds(1));
  EXPECT_THAT(told(), ElementsAre("s0 -fewer may be ejected"));
  w_.set(config::OutlierDetection{});
  w_.run_for(seconds(1));
  EXPECT_TRUE(w_.is_ejected("s0"));
  told();
  // Without the settings nothing of it is left.
  w_.set(std::nullopt);
  EXPECT_FALSE(w_.is_ejected("s0"));
  int before = machines_[0].requests;
  w_.run_for(minutes(5));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_GT(machines_[0].requests, before + 1000);
  EXPECT_THAT(w_.outliers.statistics(), IsEmpty());
  w_.set(config::OutlierDetection{});
  w_.run_for(seconds(1));
  EXPECT_THAT(told(), ElementsAre("s0 +5 errors in a row (30s)")) << "the first one again";
}

Task<void> talk(HttpPeer& peer) {
  bool connected = co_await peer.connected();
  if (!connected) co_return;
  co_await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  co_await peer.read_head();
}

TEST_F(Outliers, TcpConnectionsThatAreRefusedOrResetCount) {
  start(2, {.consecutive_errors = 3});
  config::Listener listener;
  listener.protocol = config::Protocol::kTcp;
  listener.default_backend = "app";
  const config::Endpoint address = w_.world.open_listener("tcp", listener);
  machines_[0].status = Machine::kReset;
  for (int i = 0; i < 20 && told().empty(); ++i) {
    HttpPeer peer(w_.world.clients(), address);
    runtime::Scope scope(w_.world.clients().loop);
    scope.spawn(talk(peer));
    ASSERT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }, minutes(1)));
    w_.run_for(milliseconds(10));
  }
  EXPECT_EQ(machines_[0].requests, 3);
  EXPECT_TRUE(w_.is_ejected("s0"));
}

// Servers fail, recover, come and go, and their checks with them; it holds at each moment what has to hold.
TEST_F(Outliers, UnderFlappingMembershipTheShareHolds) {
  config::OutlierDetection detection{
      .consecutive_errors = 3, .interval = milliseconds(500), .base_ejection_time = milliseconds(400)};
  detection.failure_percentage = {.threshold = 60, .min_requests = 3, .min_servers = 2};
  detection.max_ejected_percent = 40;
  config::HealthCheck often = check();
  often.interval = milliseconds(300);
  often.fast_interval = milliseconds(100);
  start(12, detection, often);
  Random& random = w_.world.random();
  begin_load(12);
  int returned = 0;
  for (int step = 0; step < 2'000; ++step) {
    Machine& machine = machines_[random.below(machines_.size())];
    switch (random.below(4)) {
      case 0:
        machine.status = random.chance(0.5) ? 200 : random.chance(0.5) ? 503 : Machine::kReset;
        break;
      case 1:
        machine.check_status = random.chance(0.7) ? 200 : 503;
        break;
      case 2:
        if (!machine.name.empty() && random.chance(0.5)) w_.remove(std::exchange(machine.name, ""));
        break;
      default:
        if (!machine.name.empty()) break;
        machine.name = "n" + std::to_string(step);
        w_.add(machine.name, machine.server->address());
    }
    w_.run_for(milliseconds(random.between(5, 35)));
    ASSERT_LE(w_.ejected(), detection.ejected_max(w_.servers())) << "step " << step;
  }
  for (const auto& one : w_.told) returned += !one.is_ejected;
  EXPECT_GT(w_.told.size(), 200u);
  EXPECT_GT(returned, 100);
  // Who is well again returns.
  for (Machine& machine : machines_) machine.status = machine.check_status = 200;
  w_.run_for(minutes(10));
  EXPECT_EQ(w_.ejected(), 0u);
}

}  // namespace
}  // namespace fairlead::sim
