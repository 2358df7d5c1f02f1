// Single stories that seeds do not tell: timeouts, limits, refusals, upgrades, drains.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/sleep.h"
#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

class Case : public testing::Test {
 protected:
  void open(const config::Listener& settings = HttpWorld::listener()) { w_.open(settings); }
  // What a client gets that sends this and then waits for the end.
  std::string talk(std::string bytes) {
    RawExchange exchange(w_, std::move(bytes));
    exchange.finish();
    took_ = exchange.took;
    clean_ = exchange.clean;
    return exchange.received;
  }
  static std::string request(const Plan& plan) { return plan.request_head("sim.test"); }

  HttpWorld w_{1};
  Duration took_{};
  bool clean_ = false;
};

config::Listener with_timeouts(Duration head, Duration keep_alive, Duration idle) {
  config::Listener settings = HttpWorld::listener();
  settings.timeouts = {.request_head = head, .keep_alive = keep_alive, .idle = idle};
  return settings;
}

TEST_F(Case, AHeadThatDoesNotComeToItsEndGets408) {
  RecordProperty("rows", "C1");
  open(with_timeouts(seconds(7), hours(1), hours(1)));
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: a\r\n"), StartsWith("HTTP/1.1 408 "));
  EXPECT_GE(took_, seconds(7));
  EXPECT_LE(took_, seconds(12));
  EXPECT_TRUE(w_.seen.requests.empty());
}

// Progress gives a head no more time.
TEST_F(Case, AHeadThatComesDropByDropGets408) {
  RecordProperty("rows", "C1");
  open(with_timeouts(seconds(7), hours(1), hours(1)));
  struct Dripping {
    static runtime::Task<void> run(HttpWorld& w, std::string& received, TimePoint& ended) {
      HttpPeer peer(w.world.clients(), w.address);
      co_await peer.connected();
      runtime::Scope sending(w.world.clients().loop);
      sending.spawn(drip(w, peer));
      PeerBody all = co_await peer.read_to_end();
      received = all.bytes;
      ended = w.world.network().now();
      co_await sending.join();
    }
    static runtime::Task<void> drip(HttpWorld& w, HttpPeer& peer) {
      std::string head = "GET /" + std::string(100, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
      bool more = true;
      for (size_t i = 0; more && i < head.size(); ++i) {
        more = co_await peer.send(head.substr(i, 1));
        co_await runtime::Sleep(w.world.clients().loop, w.world.network().now() + seconds(1));
      }
    }
  };
  std::string received;
  TimePoint ended;
  TimePoint start = w_.world.network().now();
  runtime::Scope scope(w_.world.clients().loop);
  scope.spawn(Dripping::run(w_, received, ended));
  ASSERT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
  EXPECT_THAT(received, StartsWith("HTTP/1.1 408 "));
  EXPECT_LE(ended, start + seconds(12));
  EXPECT_TRUE(w_.seen.requests.empty());
}

TEST_F(Case, AConnectionThatSaysNothingIsClosedWithoutAWord) {
  RecordProperty("rows", "52");
  open(with_timeouts(seconds(7), hours(1), hours(1)));
  EXPECT_EQ(talk(""), "");
  EXPECT_GE(took_, seconds(7));
  EXPECT_LE(took_, seconds(12));
}

TEST_F(Case, AnIdleConnectionIsClosedAfterTheKeepAliveTime) {
  open(with_timeouts(hours(1), seconds(33), hours(1)));
  EXPECT_THAT(talk(request({.id = 1, .response_size = 4})), StartsWith("HTTP/1.1 200 "));
  EXPECT_GE(took_, seconds(33));
  EXPECT_LE(took_, seconds(34));
  EXPECT_TRUE(clean_);
}

// A client with an idle connection: one request, the end of the listener, and after `pause` another request.
struct AroundTheEnd {
  AroundTheEnd(HttpWorld& of, Duration between) : w(of), pause(between), scope(w.world.clients().loop) {
    scope.spawn(run());
    EXPECT_TRUE(w.world.run_until([&] { return scope.running() == 0; }));
  }
  runtime::Task<void> run() {
    HttpPeer peer(w.world.clients(), w.address);
    co_await peer.connected();
    co_await peer.send(Plan{.id = 1, .response_size = 4}.request_head("sim.test"));
    // As long as the answer is on its way the connection is not idle.
    co_await runtime::Sleep(w.world.clients().loop, w.world.network().now() + minutes(1));
    ended_at = w.world.network().now();
    w.world.close_listener("web");
    co_await runtime::Sleep(w.world.clients().loop, ended_at + pause);
    co_await peer.send(Plan{.id = 2, .response_size = 4}.request_head("sim.test"));
    PeerBody all = co_await peer.read_to_end();
    received = std::move(all.bytes);
    took = w.world.network().now() - ended_at;
  }
  HttpWorld& w;
  Duration pause;
  TimePoint ended_at;
  std::string received;
  Duration took{};
  runtime::Scope scope;
};

TEST_F(Case, ARequestThatIsOnItsWayWhenItsListenerEndsIsServedAndIsTheLast) {
  open(with_timeouts(hours(1), hours(1), hours(1)));
  AroundTheEnd story(w_, kIdleGrace / 2);
  EXPECT_EQ(w_.seen.requests[2], 1);
  EXPECT_LT(story.received.find("HTTP/1.1 200 "), story.received.rfind("HTTP/1.1 200 ")) << story.received;
  EXPECT_THAT(story.received.substr(story.received.rfind("HTTP/1.1 ")), HasSubstr("Connection: close\r\n"));
}

TEST_F(Case, AnIdleConnectionWaitsNoLongerThanItsListenersGrace) {
  open(with_timeouts(hours(1), hours(1), hours(1)));
  AroundTheEnd story(w_, kIdleGrace + seconds(2));
  EXPECT_EQ(w_.seen.requests[2], 0);
}

TEST_F(Case, AConnectionThatHasNotSaidWhoseItIsWaitsNoLongerThanItsListenersGrace) {
  config::Listener listener = with_timeouts(hours(1), hours(1), hours(1));
  listener.timeouts.proxy_header = hours(1);
  listener.proxy_protocol.trusted = {"0.0.0.0/0"};
  listener.proxy_protocol.table = std::make_shared<const config::NetworkTable>(
      std::vector<config::NetworkTable::Entry>{{config::Network::parse("0.0.0.0/0").value(), true}}, false);
  open(listener);
  RawExchange silent(w_, "");
  RawExchange begun(w_, "PROXY TCP4 203.0.");
  w_.world.network().run_for(seconds(5));
  TimePoint end = w_.world.network().now();
  w_.world.close_listener("web");
  silent.finish();
  EXPECT_GE(w_.world.network().now(), end + kIdleGrace);
  EXPECT_LT(w_.world.network().now(), end + kIdleGrace + seconds(1));
  EXPECT_EQ(begun.scope.running(), 1u);
  begun.finish();
}

TEST_F(Case, AnEmptyLineIsNothingOfARequest) {
  open(with_timeouts(seconds(1), seconds(33), hours(1)));
  const std::string asked = request({.id = 1, .response_size = 4});
  EXPECT_THAT(talk(asked + "\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_GE(took_, seconds(33));
  EXPECT_TRUE(clean_);
  const std::string received = talk("\r\n" + asked + "\r\n" + request({.id = 2, .response_size = 4}));
  EXPECT_LT(received.find("HTTP/1.1 200 "), received.rfind("HTTP/1.1 200 ")) << received;
  EXPECT_EQ(talk("\r\n"), "");
}

TEST_F(Case, TheGraceOfAnEndingListenerDoesNotProlongTheKeepAliveTime) {
  open(with_timeouts(hours(1), minutes(1) + milliseconds(100), hours(1)));
  AroundTheEnd story(w_, milliseconds(900));
  EXPECT_EQ(w_.seen.requests[2], 0);
}

TEST_F(Case, AServerThatDoesNotAnswerGives504) {
  RecordProperty("rows", "S8");
  config::Backend settings;
  settings.timeouts.response = seconds(9);
  w_.set_backend(settings);
  open(with_timeouts(hours(1), milliseconds(1), hours(1)));
  EXPECT_THAT(talk(request({.id = 1, .fate = Fate::kSilence})), StartsWith("HTTP/1.1 504 "));
  EXPECT_GE(took_, seconds(9));
  EXPECT_LE(took_, seconds(15));
  EXPECT_EQ(w_.seen.requests[1], 1);
}

TEST_F(Case, AnUploadThatStallsGets408AndTheServerIsNotToldThatItIsWhole) {
  RecordProperty("rows", "64 E6");
  open(with_timeouts(hours(1), hours(1), seconds(11)));
  Plan plan{.id = 1, .method = "POST", .request_size = 100'000};
  EXPECT_THAT(talk(request(plan) + plan.request_body().substr(0, 70'000)), StartsWith("HTTP/1.1 408 "));
  EXPECT_GE(took_, seconds(11));
  EXPECT_FALSE(w_.seen.whole_bodies.contains(1));
}

TEST_F(Case, AConnectThatIsNotAnsweredGives504) {
  RecordProperty("rows", "C6");
  config::Backend settings;
  settings.timeouts.connect = seconds(3);
  settings.retry.attempts = 0;
  w_.set_backend(settings);
  open();
  RawExchange exchange(w_, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(w_.world.run_until([&] { return exchange.connected; }));
  w_.world.network().faults().black_hole_connect = 1;
  exchange.finish();
  EXPECT_THAT(exchange.received, StartsWith("HTTP/1.1 504 "));
  EXPECT_GE(exchange.took, seconds(3));
  w_.world.network().faults() = {};
}

TEST_F(Case, WithoutAnEligibleServerTheAnswerIs503AndComesAtOnce) {
  for (auto& [name, origin] : w_.origins)
    w_.world.configuration().set_admin_state("app", name, config::AdminState::kMaintenance);
  w_.world.publish();
  open();
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 503 "));
  EXPECT_LE(took_, seconds(3));
}

TEST_F(Case, WithoutARouteTheAnswerIs404) {
  config::Listener settings = HttpWorld::listener();
  settings.default_backend = "";
  open(settings);
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(Case, MalformedRequestsGet400AndNeverReachAServer) {
  open();
  for (const char* bytes :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nfield : value\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"}) {
    EXPECT_THAT(talk(bytes), StartsWith("HTTP/1.1 400 ")) << bytes;
  }
  EXPECT_TRUE(w_.seen.heads.empty());
  for (auto& [name, origin] : w_.origins) EXPECT_EQ(origin->accepted(), 0);
}

TEST_F(Case, AMalformedBodyGets400OrACutConnection) {
  RecordProperty("rows", "88");
  open();
  Plan plan{.id = 1, .method = "POST", .request_framing = Framing::kChunked};
  EXPECT_THAT(talk(request(plan) + "xyz\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_FALSE(w_.seen.whole_bodies.contains(1));
}

TEST_F(Case, AHeadOverTheLimitGets431) {
  config::Listener settings = HttpWorld::listener();
  settings.max_head_bytes = 1024;
  open(settings);
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2'000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
}

TEST_F(Case, ConnectionsOverTheLimitAreRefusedWithoutHarmToOthers) {
  RecordProperty("rows", "C4");
  config::Listener settings = HttpWorld::listener();
  settings.max_connections = 2;
  open(settings);
  Plan slow{.id = 1, .response_size = 10, .delay_ms = 10'000};
  w_.clients->start({slow});
  slow.id = 2;
  w_.clients->start({slow});
  w_.world.network().run_for(seconds(1));
  EXPECT_EQ(talk("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  w_.run_clients();
  w_.expect_all_exact();
}

TEST_F(Case, RunningOutOfDescriptorsDelaysAndHarmsNobody) {
  RecordProperty("rows", "157 C3");
  w_.world.network().faults().exhausted_accept = 0.7;
  open();
  for (uint64_t i = 1; i <= 30; ++i) w_.clients->start({Plan{.id = i, .response_size = 100}});
  w_.run_clients();
  w_.expect_all_exact();
}

TEST_F(Case, AnUpgradeBecomesATunnelForBothSides) {
  RecordProperty("rows", "S11");
  open();
  int listening = w_.world.origins().driver.listen("10.1.0.1:0");
  w_.world.configuration().set_backend("tunnels");
  w_.world.configuration().add_server("tunnels", "t", w_.world.origins().driver.local_address(listening));
  config::Listener settings = HttpWorld::listener();
  settings.default_backend = "tunnels";
  w_.world.configuration().set_listener("web", settings);
  w_.world.publish();

  net::Acceptor acceptor(w_.world.origins().loop, listening);
  std::string at_origin;
  struct Server {
    static runtime::Task<void> run(SimHost& host, net::Acceptor& acceptor, std::string& received) {
      auto accepted = co_await acceptor.accept();
      HttpPeer peer(host.loop, accepted->fd);
      auto head = co_await peer.read_head();
      EXPECT_EQ(*head->find("upgrade"), "echo");
      co_await peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nwelcome;");
      PeerBody all = co_await peer.read_to_end();
      received = all.bytes;
      co_await peer.send("goodbye");
    }
  };
  struct ClientSide {
    static runtime::Task<void> run(HttpWorld& w, PeerHead& head, std::string& received) {
      HttpPeer peer(w.world.clients(), w.address);
      co_await peer.connected();
      co_await peer.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      auto answer = co_await peer.read_head();
      if (!answer) co_return;
      head = *answer;
      co_await peer.send(body_bytes(1, "tunnelled", 300'000));
      peer.stream().shutdown_write();
      PeerBody all = co_await peer.read_to_end();
      received = all.bytes;
    }
  };
  runtime::Scope scope(w_.world.clients().loop);
  PeerHead head;
  std::string at_client;
  scope.spawn(Server::run(w_.world.origins(), acceptor, at_origin));
  scope.spawn(ClientSide::run(w_, head, at_client));
  ASSERT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(head.status(), 101);
  EXPECT_EQ(at_client, "welcome;goodbye");
  EXPECT_EQ(at_origin, body_bytes(1, "tunnelled", 300'000));
}

// A plain end of the connection would be half-closing: the server would go on for nobody.
TEST_F(Case, AClientThatBreaksOffIsAResetForItsServer) {
  enum class Leaving { kReset, kEnd };
  struct Story {
    static runtime::Task<void> serve(HttpPeer& peer, std::optional<bool>& ended_cleanly) {
      auto head = co_await peer.read_head();
      if (head) co_await peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
      if (head && head->start_line.starts_with("GET /begun ")) {
        co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
      }
      PeerBody rest = co_await peer.read_to_end();
      ended_cleanly = rest.complete;
    }
    static runtime::Task<void> leave(HttpWorld& w, std::string path, Leaving leaving) {
      HttpPeer peer(w.world.clients(), w.address);
      co_await peer.connected();
      co_await peer.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
      co_await peer.read_head();
      if (path == "/begun") co_await peer.read_head();
      if (leaving == Leaving::kReset) peer.stream().reset_on_close();
    }
  };
  for (Leaving leaving : {Leaving::kReset, Leaving::kEnd}) {
    for (const char* path : {"/waits", "/begun"}) {
      HttpWorld w(1, 1, 0);
      std::optional<bool> ended_cleanly;
      ScriptedServer server(w.world, [&](HttpPeer& peer) { return Story::serve(peer, ended_cleanly); });
      config::Backend backend;
      backend.timeouts.response = backend.timeouts.idle = minutes(1);
      w.set_backend(backend);
      w.world.configuration().add_server("app", "s", server.address());
      w.open();
      runtime::Scope scope(w.world.clients().loop);
      scope.spawn(Story::leave(w, path, leaving));
      ASSERT_TRUE(w.world.run_until([&] { return ended_cleanly.has_value(); }));
      EXPECT_EQ(*ended_cleanly, leaving == Leaving::kEnd) << path;
      w.clients.reset();
      w.world.shut_down();
    }
  }
}

TEST_F(Case, AServerThatIsDeletedFinishesWhatItHasAndTakesNothingNew) {
  open();
  std::vector<Plan> plans;
  for (uint64_t i = 1; i <= 6; ++i) plans.push_back({.id = i, .response_size = 10, .delay_ms = 5'000});
  for (const Plan& plan : plans) w_.clients->start({plan});
  w_.world.network().run_for(seconds(1));
  int before = w_.origins.at("s0")->accepted();
  EXPECT_GT(before, 0);
  std::optional<uint64_t> cut;
  w_.world.delete_server("app", "s0", minutes(1), [&](uint64_t cut_off) { cut = cut_off; });
  for (uint64_t i = 7; i <= 20; ++i) w_.clients->start({Plan{.id = i, .response_size = 10}});
  w_.run_clients();
  w_.expect_all_exact();
  ASSERT_TRUE(w_.world.run_until([&] { return cut.has_value(); }));
  EXPECT_EQ(*cut, 0u);
  EXPECT_EQ(w_.origins.at("s0")->accepted(), before);
  w_.world.network().run_for(seconds(1));
  EXPECT_EQ(w_.origins.at("s0")->connections(), 0u) << "a pooled connection outlived its server";
}

TEST_F(Case, ADrainsDeadlineCutsWhatIsLeftAndSaysHowMuch) {
  open();
  for (uint64_t i = 1; i <= 6; ++i) w_.clients->start({Plan{.id = i, .response_size = 10, .delay_ms = 60'000}});
  w_.world.network().run_for(seconds(1));
  auto on_it = w_.origins.at("s0")->connections();
  EXPECT_GT(on_it, 0u);
  TimePoint start = w_.world.network().now();
  TimePoint end;
  std::optional<uint64_t> cut;
  w_.world.delete_server("app", "s0", seconds(10), [&](uint64_t cut_off) {
    cut = cut_off;
    end = w_.world.network().now();
  });
  w_.run_clients();
  ASSERT_TRUE(cut.has_value());
  EXPECT_EQ(*cut, on_it);
  EXPECT_GE(end, start + seconds(10));
  EXPECT_LE(end, start + seconds(11));
  w_.expect_safe();
  EXPECT_EQ(w_.clients->count(Outcome::kProxyError), on_it);
  EXPECT_EQ(w_.clients->count(Outcome::kExact), 6 - on_it);
}

TEST_F(Case, ADrainThatIsTakenBackLetsTheServerServe) {
  open();
  w_.world.configuration().set_admin_state("app", "s0", config::AdminState::kDrain);
  w_.world.publish();
  w_.world.drain(w_.world.configuration().backend("app"), *w_.world.configuration().server("app", "s0"), false,
                 std::nullopt, [](uint64_t) {});
  for (uint64_t i = 1; i <= 9; ++i) w_.clients->start({Plan{.id = i, .response_size = 10}});
  w_.run_clients();
  EXPECT_EQ(w_.origins.at("s0")->accepted(), 0);
  w_.world.configuration().set_admin_state("app", "s0", config::AdminState::kReady);
  w_.world.publish();
  for (uint64_t i = 10; i <= 18; ++i) w_.clients->start({Plan{.id = i, .response_size = 10}});
  w_.run_clients();
  EXPECT_GT(w_.origins.at("s0")->accepted(), 0);
  w_.expect_all_exact();
}

TEST_F(Case, AListenerThatGoesLetsItsRequestsFinish) {
  open();
  for (uint64_t i = 1; i <= 6; ++i) w_.clients->start({Plan{.id = i, .response_size = 10, .delay_ms = 5'000}});
  w_.world.network().run_for(seconds(1));
  w_.world.close_listener("web");
  w_.run_clients();
  w_.expect_all_exact();
  EXPECT_EQ(talk("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
}

TEST_F(Case, CountersAddUp) {
  open();
  for (uint64_t i = 1; i <= 20; ++i)
    w_.clients->start({Plan{.id = i, .status = i % 2 ? 200 : 404, .response_size = 100}});
  w_.run_clients();
  observe::BackendStatistics all = w_.world.statistics("app");
  EXPECT_EQ(all.counters.started, 20u);
  EXPECT_EQ(all.counters.finished, 20u);
  EXPECT_EQ(all.counters.statuses[1], 10u);
  EXPECT_EQ(all.counters.statuses[3], 10u);
  EXPECT_EQ(all.counters.in_flight, 0u);
  uint64_t of_servers = 0;
  for (const auto& server : all.servers) of_servers += server.counters.finished;
  EXPECT_EQ(of_servers, 20u);
}

}  // namespace
}  // namespace fairlead::sim
