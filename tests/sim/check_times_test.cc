// Checks over a simulated network with virtual time: when they come, how many at once, what a change makes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sim_world/checked_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;

TEST(CheckTimes, ComeWhenTheStateWantsThem) {
  HealthWorld w(7);
  CheckedServer server(w, kOk);
  config::HealthCheck check = http_check();
  check.fast_interval = seconds(1);
  check.down_interval = seconds(60);
  w.set_check(check);
  TimePoint start = w.world.network().now();
  w.add("s", server.address());
  w.run_for(seconds(55));
  ASSERT_GE(server.times.size(), 6u);
  EXPECT_LE(server.times[0] - start, milliseconds(2)) << "the first at once";
  EXPECT_LE(server.times[1] - server.times[0], seconds(10));
  for (size_t i = 2; i < server.times.size(); ++i) {
    EXPECT_GE(server.times[i] - server.times[i - 1], seconds(9));
    EXPECT_LE(server.times[i] - server.times[i - 1], milliseconds(10'002));
  }
  server.answer = "HTTP/1.1 500 No\r\n\r\n";
  ASSERT_TRUE(w.world.run_until([&] { return w.told["s"].starts_with("down"); }, minutes(1)));
  size_t n = server.times.size();
  EXPECT_LE(server.times[n - 1] - server.times[n - 3], milliseconds(2'004)) << "three failures, fast";
  w.run_for(minutes(5));
  for (size_t i = n; i < server.times.size(); ++i) {
    EXPECT_GE(server.times[i] - server.times[i - 1], seconds(54));
    EXPECT_LE(server.times[i] - server.times[i - 1], milliseconds(60'002));
  }
  EXPECT_EQ(w.all.size(), 2u) << "what does not change is not told";
  server.answer = kOk;
  ASSERT_TRUE(w.world.run_until([&] { return w.told["s"].starts_with("up"); }, minutes(3)));
  n = server.times.size();
  EXPECT_LE(server.times[n - 1] - server.times[n - 2], milliseconds(1'002));
}

TEST(CheckTimes, AServerThatStartsSlowlyIsPendingUntilItsFirstSuccess) {
  HealthWorld w(1);
  CheckedServer server(w, "HTTP/1.1 503 Starting\r\n\r\n");
  config::HealthCheck check = http_check();
  check.interval = seconds(2);
  check.rise = 50;
  w.set_check(check);
  w.add("s", server.address());
  w.run_for(seconds(3));
  EXPECT_EQ(w.told["s"], "down: status: 503, expected 200-399");
  EXPECT_FALSE(w.world.configuration().is_fit("app", "s"));
  server.answer = kOk;
  w.run_for(seconds(2));
  EXPECT_EQ(w.told["s"], "up: status 200");
}

TEST(CheckTimes, NewsOfAFailureThatGoesOnAreTold) {
  HealthWorld w(1);
  CheckedServer server(w, "HTTP/1.1 503 No\r\n\r\n");
  w.set_check(http_check());
  w.add("s", server.address(), /*in_service=*/true);
  w.run_for(seconds(35));
  EXPECT_EQ(w.all.size(), 1u) << "one failure is enough where it was in service unchecked";
  server.answer = "HTTP/1.1 500 No\r\n\r\n";
  w.run_for(seconds(35));
  ASSERT_EQ(w.all.size(), 2u);
  EXPECT_EQ(w.all.back().reason, "status: 500, expected 200-399");
  EXPECT_FALSE(w.all.back().is_up);
}

TEST(CheckTimes, NeverTwoOfOneServerAtOnce) {
  HealthWorld w(3);
  CheckedServer server(w, "");
  server.closes = false;
  config::HealthCheck check = http_check();
  check.interval = check.timeout = milliseconds(200);
  check.fast_interval = check.down_interval = milliseconds(10);
  w.set_check(check);
  w.add("s", server.address());
  for (int i = 0; i < 200; ++i) {
    w.run_for(milliseconds(7));
    // Anew, while one is under way.
    if (i % 3 == 0) w.check("s");
    if (i % 5 == 0) w.set_check(check);
  }
  EXPECT_GT(server.times.size(), 10u);
  EXPECT_EQ(server.most_open, 1);
}

TEST(CheckTimes, SoManyAtATimeAndNoMore) {
  HealthWorld w(1, 1, {.seed = 1, .under_way_max = 5, .starts_per_turn = 2});
  w.world.network().faults().black_hole_connect = 1;
  config::HealthCheck check;
  check.interval = check.timeout = seconds(1);
  w.set_check(check);
  for (int i = 0; i < 40; ++i) w.add("s" + std::to_string(i), config::Endpoint::parse("10.9.9.9:80").value());
  size_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    w.run_for(milliseconds(10));
    most = std::max(most, w.checker.under_way());
  }
  EXPECT_EQ(most, 5u);
  EXPECT_EQ(w.told.size(), 40u) << "all have had their turn";
}

// One in twenty of them says nothing at all.
TEST(CheckTimes, OfAHundredThousandAllAreKnownSoonAndNoneWaitsForTheSilent) {
  constexpr size_t kServers = 100'000;
  ProxyWorld world(1, 1);
  world.network().faults().black_hole_connect = 0.05;
  SimHost host{world.network(), "checker", "10.0.0.2"};
  std::set<config::Uid> heard;
  health::Checker checker(host.loop, {.seed = 1}, [&](const std::vector<health::Result>& results) {
    for (const health::Result& result : results) heard.insert(result.server);
  });
  auto backend = base::make_ref<config::Backend>();
  backend->metadata.uid = 1;
  backend->health_check.emplace();
  backend->health_check->interval = seconds(10);
  backend->health_check->timeout = seconds(2);
  for (size_t i = 0; i < kServers; ++i) {
    auto server = base::make_ref<config::Server>();
    server->metadata.uid = 2 + i;
    server->slot = static_cast<config::Slot>(i);
    server->address = config::Endpoint::parse("10.9.9.9:80").value();
    checker.check({.backend = backend, .server = server, .check = 1, .in_service = true});
  }
  const TimePoint start = world.network().now();
  size_t most = 0;
  while (heard.size() < kServers && world.network().now() < start + minutes(1)) {
    world.network().run_for(milliseconds(50));
    most = std::max(most, checker.under_way());
  }
  EXPECT_EQ(heard.size(), kServers);
  EXPECT_LE(most, 4096u);
  // 5,000 silent ones of 2 s each, 4,096 at a time.
  EXPECT_LT(world.network().now() - start, seconds(6));
  runtime::Scope scope(host.loop);
  scope.spawn(checker.close());
  EXPECT_TRUE(world.run_until([&] { return scope.running() == 0; }));
  world.shut_down();
}

TEST(CheckTimes, ManyThatBeginTogetherDoNotStayTogether) {
  HealthWorld w(1);
  config::HealthCheck check;
  check.interval = seconds(10);
  w.set_check(check);
  std::vector<std::unique_ptr<CheckedServer>> servers;
  for (int i = 0; i < 300; ++i) {
    servers.push_back(std::make_unique<CheckedServer>(w, ""));
    servers.back()->reads = false;
    w.add("s" + std::to_string(i), servers.back()->address());
  }
  TimePoint start = w.world.network().now();
  w.run_for(seconds(60));
  std::vector<int> by_second(60);
  for (auto& server : servers) {
    EXPECT_LE(server->times.at(0) - start, milliseconds(50)) << "the first checks come at once";
    for (TimePoint at : server->times) {
      if (at > start + seconds(1)) ++by_second[std::min<size_t>(59, static_cast<size_t>((at - start) / seconds(1)))];
    }
  }
  for (size_t second = 11; second < 59; ++second) {
    EXPECT_GT(by_second[second], 10) << second;
    EXPECT_LT(by_second[second], 65) << second;
  }
}

TEST(CheckTimes, SettingsChangeInPlace) {
  HealthWorld w(1);
  CheckedServer server(w, kOk);
  config::HealthCheck check = http_check();
  check.interval = hours(1);
  w.set_check(check);
  w.add("s", server.address());
  w.run_for(hours(2));
  size_t before = server.times.size();
  check.interval = seconds(2);
  std::get<config::HttpCheck>(check.kind).path = "/other";
  w.set_check(check);
  w.run_for(seconds(3));
  EXPECT_GT(server.times.size(), before) << "an hour is not waited for";
  EXPECT_EQ(server.last.start_line, "GET /other HTTP/1.1");
  EXPECT_EQ(w.all.size(), 1u) << "it is up all the time";
  check.kind = config::TcpCheck();
  w.set_check(check);
  w.run_for(seconds(20));
  EXPECT_EQ(w.all.size(), 1u);
}

TEST(CheckTimes, AChecksOwnPlaceTakesThePlaceOfTheServers) {
  HealthWorld w(1);
  CheckedServer server(w, kOk);
  config::HealthCheck check = http_check();
  check.place.port = server.address().port();
  w.set_check(check);
  w.add("by-port", server.address().with_port(9));
  w.run_for(seconds(1));
  EXPECT_EQ(w.told["by-port"], "up: status 200");
  check.place.port.reset();
  check.place.address = server.address();
  w.set_check(check);
  w.add("by-address", config::Endpoint::parse("10.7.7.7:1").value());
  w.run_for(seconds(1));
  EXPECT_EQ(w.told["by-address"], "up: status 200");
}

TEST(CheckTimes, ARemovedServersCheckEndsAtOnceAndIsNotTold) {
  HealthWorld w(1);
  CheckedServer server(w, "");
  server.closes = false;
  w.set_check(http_check());
  w.add("s", server.address());
  w.run_for(milliseconds(500));
  ASSERT_EQ(server.open, 1);
  w.remove("s");
  w.run_for(milliseconds(1));
  EXPECT_EQ(server.open, 0);
  w.run_for(minutes(1));
  EXPECT_EQ(server.times.size(), 1u);
  EXPECT_THAT(w.all, IsEmpty());
  // Another of its name is another.
  server.answer = kOk;
  w.add("s", server.address());
  w.run_for(seconds(1));
  EXPECT_EQ(w.told["s"], "up: status 200");
}

TEST(CheckTimes, ACheckThatBeginsAnewForgetsWhatTheLastOneFound) {
  HealthWorld w(1);
  CheckedServer server(w, kOk);
  w.set_check(http_check());
  w.add("s", server.address());
  w.run_for(seconds(1));
  server.answer = "HTTP/1.1 503 No\r\n\r\n";
  w.check("s", /*in_service=*/false);
  w.run_for(seconds(1));
  EXPECT_EQ(w.told["s"], "down: status: 503, expected 200-399");
  server.answer = kOk;
  w.run_for(seconds(11));
  EXPECT_EQ(w.told["s"], "up: status 200") << "one is enough for the first";
}

TEST(CheckTimes, WhatCannotBeAskedSaysNothing) {
  HealthWorld w(1);
  CheckedServer server(w, kOk);
  w.set_check(http_check());
  w.add("s", server.address());
  w.run_for(seconds(1));
  w.world.network().faults().exhausted_connect = 1;
  w.run_for(minutes(5));
  EXPECT_EQ(w.all.size(), 1u) << w.told["s"];
  w.world.network().faults().exhausted_connect = 0;
  server.answer = "HTTP/1.1 503 No\r\n\r\n";
  w.run_for(minutes(1));
  EXPECT_EQ(w.told["s"], "down: status: 503, expected 200-399");
}

TEST(CheckTimes, AreCountedByServer) {
  HealthWorld w(1);
  CheckedServer server(w, kOk);
  w.set_check(http_check());
  w.add("s", server.address());
  w.run_for(seconds(45));
  server.answer = "HTTP/1.1 503 No\r\n\r\n";
  w.run_for(seconds(15));
  std::vector<observe::CheckStatistics> statistics = w.checker.statistics();
  ASSERT_EQ(statistics.size(), 1u);
  EXPECT_EQ(statistics[0].server, "s");
  EXPECT_EQ(statistics[0].backend, "app");
  EXPECT_TRUE(statistics[0].is_up);
  EXPECT_EQ(statistics[0].checks, server.times.size());
  EXPECT_GE(statistics[0].failures, 1u);
}

}  // namespace
}  // namespace fairlead::sim
