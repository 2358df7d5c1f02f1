// Checks over a simulated network with virtual time: what each way to fail is called, when checks come, how many at
// once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtime/sleep.h"
#include "sim_world/health_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

config::HealthCheck http(std::string body = "") {
  config::HealthCheck check;
  config::HttpCheck kind;
  kind.path = "/healthz";
  kind.body_contains = std::move(body);
  check.kind = kind;
  check.interval = seconds(10);
  check.timeout = seconds(2);
  return check;
}

// A server that answers checks with what the test says, and remembers when they came.
class Checked {
 public:
  Checked(HealthWorld& w, std::string answer)
      : answer(std::move(answer)), w_(w), server_(w.world, [this](HttpPeer& peer) { return serve(peer); }) {}

  const config::Endpoint& address() const { return server_.address(); }

  // Empty: nothing is sent.
  std::string answer;
  // Each byte of it comes so much later.
  Duration drip{};
  bool reads = true;
  // Closes when it has answered; else waits for the other side.
  bool closes = true;
  // The other side is to see a reset.
  bool resets = false;
  // Goes on with this for ever.
  std::string endless;

  std::vector<TimePoint> times;
  PeerHead last;
  int open = 0;
  int most_open = 0;

 private:
  runtime::Task<void> serve(HttpPeer& peer) {
    times.push_back(w_.world.network().now());
    most_open = std::max(most_open, ++open);
    co_await answer_to(peer);
    --open;
  }
  runtime::Task<void> answer_to(HttpPeer& peer) {
    if (reads) {
      std::optional<PeerHead> head = co_await peer.read_head();
      if (!head) co_return;
      last = *head;
    }
    if (resets) w_.world.origins().driver.reset(peer.stream().channel().fd());
    if (resets) co_return;
    if (drip > Duration::zero()) {
      for (char c : answer) {
        co_await runtime::Sleep(w_.world.origins().loop, w_.world.network().now() + drip);
        bool sent = co_await peer.send(std::string(1, c));
        if (!sent) co_return;
      }
    } else {
      co_await peer.send(answer);
    }
    while (!endless.empty()) {
      bool sent = co_await peer.send(endless);
      if (!sent) co_return;
    }
    if (!closes) co_await peer.read_to_end();
  }

  HealthWorld& w_;
  ScriptedServer server_;
};

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Task<void> read_into(HttpPeer& peer, std::string& seen) {
  PeerBody body = co_await peer.read_to_end();
  seen = body.bytes;
}

class Checks : public testing::Test {
 protected:
  // What is told of a server that answers so.
  std::string told_of(
      const std::string& answer, const config::HealthCheck& check = http(),
      const std::function<void(Checked&)>& arrange = [](Checked&) {}) {
    HealthWorld w(1);
    Checked server(w, answer);
    arrange(server);
    w.set_check(check);
    w.add("s", server.address());
    w.run_for(seconds(5));
    w.close();
    w.run_for(seconds(1));
    EXPECT_EQ(server.open, 0) << "a connection was left open";
    return w.told["s"];
  }
};

TEST_F(Checks, AnHttpServerIsUpByItsStatus) {
  EXPECT_EQ(told_of(kOk), "up: status 200");
  EXPECT_EQ(told_of("HTTP/1.1 399 Odd\r\n\r\n"), "up: status 399");
  EXPECT_EQ(told_of("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), "up: status 204");
  EXPECT_EQ(told_of("HTTP/1.0 200 OK\r\n\r\n"), "up: status 200");
  EXPECT_EQ(told_of(kOk, http(), [](Checked& server) { server.closes = false; }), "up: status 200");
  config::HealthCheck narrow = http();
  std::get<config::HttpCheck>(narrow.kind).expected = {{200, 200}, {404, 410}};
  EXPECT_EQ(told_of("HTTP/1.1 410 Gone\r\n\r\n", narrow), "up: status 410");
  EXPECT_EQ(told_of("HTTP/1.1 204 No\r\n\r\n", narrow), "down: status: 204, expected 200, 404-410");
}

TEST_F(Checks, AFailureIsNamedByItsStep) {
  EXPECT_EQ(told_of("HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n"), "down: status: 503, expected 200-399");
  EXPECT_EQ(told_of("HTTP/1.1 400 Bad\r\n\r\n"), "down: status: 400, expected 200-399");
  EXPECT_EQ(told_of(""), "down: response: closed before its head was complete");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nContent-"), "down: response: closed before its head was complete");
  EXPECT_THAT(told_of("SSH-2.0-OpenSSH_9.2\r\n"), HasSubstr("down: response: malformed: "));
  EXPECT_EQ(told_of(kOk, http(), [](Checked& server) { server.resets = true; }), "down: response: reset");
  auto silent = [](Checked& server) { server.closes = false; };
  EXPECT_EQ(told_of("", http(), silent), "down: response: timed out after 2s");
  auto slow = [](Checked& server) { server.drip = milliseconds(100); };
  EXPECT_EQ(told_of(kOk, http(), slow), "down: response: timed out after 2s");
}

TEST_F(Checks, WhatNeverEndsIsBounded) {
  auto with = [](const char* text) { return [text](Checked& server) { server.endless = text; }; };
  EXPECT_THAT(told_of("HTTP/1.1 200 OK\r\n", http(), with("X-Filler: more and more of it\r\n")),
              HasSubstr("down: response: malformed: "));
  EXPECT_EQ(told_of("", http(), with("HTTP/1.1 100 Continue\r\n\r\n")), "down: response: too many interim responses");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\n\r\n", http("needle"), with("hay ")),
            "down: body: \"needle\" is not in its first 64 KiB");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", http("needle"), with("3\r\nhay\r\n")),
            "down: body: \"needle\" is not in its first 64 KiB");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\n\r\n", http(), with("hay ")), "up: status 200") << "nobody asked for the body";
}

TEST_F(Checks, ABodyIsSearchedAcrossItsPieces) {
  std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(told_of(chunked + "5\r\nxxnee\r\n5\r\ndlexx\r\n0\r\n\r\n", http("needle")),
            "up: status 200, with \"needle\"");
  EXPECT_EQ(told_of(chunked + "3\r\nnee\r\n1\r\n-\r\n3\r\ndle\r\n0\r\n\r\n", http("needle")),
            "down: body: \"needle\" is not in it");
  auto slow = [](Checked& server) { server.drip = milliseconds(10); };
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxx needle", http("needle"), slow),
            "up: status 200, with \"needle\"");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\n\r\nneedl", http("needle")), "down: body: \"needle\" is not in it");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nneedl", http("needle")), "down: body: ended early");
  EXPECT_EQ(told_of("HTTP/1.1 204 OK\r\n\r\n", http("needle")), "down: body: \"needle\" is not in it");
  EXPECT_THAT(told_of(chunked + "zz\r\n", http("needle")), HasSubstr("down: body: malformed: "));
  auto waits = [](Checked& server) { server.closes = false; };
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", http("needle"), waits),
            "down: body: timed out after 2s");
}

TEST_F(Checks, TheRequestIsWhatWasAskedFor) {
  HealthWorld w(1);
  Checked server(w, kOk);
  config::HealthCheck check = http();
  w.set_check(check);
  w.add("s", server.address());
  w.run_for(seconds(1));
  EXPECT_EQ(server.last.start_line, "GET /healthz HTTP/1.1");
  EXPECT_EQ(*server.last.find("host"), server.address().to_string());
  EXPECT_EQ(*server.last.find("connection"), "close");
  EXPECT_EQ(*server.last.find("user-agent"), "fairlead-check");
  config::HttpCheck kind{.path = "/x?y=1",
                         .method = config::CheckMethod::kPost,
                         .host = "a.example:80",
                         .headers = {{"User-Agent", "mine"}, {"X-A", ""}},
                         .expected = {},
                         .body_contains = ""};
  check.kind = kind;
  w.set_check(check);
  w.run_for(seconds(10));
  EXPECT_EQ(server.last.start_line, "POST /x?y=1 HTTP/1.1");
  EXPECT_EQ(*server.last.find("host"), "a.example:80");
  EXPECT_EQ(*server.last.find("user-agent"), "mine");
  EXPECT_EQ(*server.last.find("content-length"), "0");
  EXPECT_NE(server.last.find("x-a"), nullptr);
}

TEST_F(Checks, TcpIsUpWhereSomebodyListens) {
  HealthWorld w(1);
  Checked server(w, "");
  server.reads = false;
  config::HealthCheck check;
  w.set_check(check);
  w.add("listens", server.address());
  w.add("refuses", config::Endpoint::parse("10.1.0.1:9").value());
  w.run_for(seconds(1));
  EXPECT_EQ(w.told["listens"], "up: connected");
  EXPECT_EQ(w.told["refuses"], "down: connect: refused");
  EXPECT_FALSE(w.world.configuration().is_fit("app", "refuses"));
  w.world.network().faults().black_hole_connect = 1;
  w.run_for(minutes(1));
  EXPECT_EQ(w.told["listens"], "down: connect: timed out after 2s");
}

// The bytes that come first on a connection of a check, of so many.
std::string first_bytes(const config::HealthCheck& check, size_t count) {
  HealthWorld w(1);
  std::string seen;
  ScriptedServer server(w.world, [&](HttpPeer& peer) -> Task<void> { return read_into(peer, seen); });
  w.set_check(check);
  w.add("s", server.address());
  w.run_for(milliseconds(500));
  w.close();
  EXPECT_GE(seen.size(), count);
  return seen.substr(0, count);
}

TEST_F(Checks, AProxyHeaderGoesFirst) {
  config::HealthCheck check = http();
  check.proxy_header = config::ProxyHeader::kV1;
  EXPECT_EQ(first_bytes(check, 33), "PROXY UNKNOWN\r\nGET /healthz HTTP/");
  check.proxy_header = config::ProxyHeader::kV2;
  EXPECT_EQ(first_bytes(check, 20), std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET ", 20));
  check.kind = config::TcpCheck();
  EXPECT_EQ(first_bytes(check, 16), std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16));
  check.kind = config::GrpcCheck();
  EXPECT_EQ(first_bytes(check, 19), std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0PRI", 19));
}

TEST_F(Checks, AGrpcServerIsUpWhereItSaysSo) {
  config::HealthCheck check = http();
  check.kind = config::GrpcCheck{.service = "shop", .authority = ""};
  auto blind = [](Checked& server) { server.reads = false; };
  const std::string settings("\0\0\0\x04\0\0\0\0\0", 9);
  const std::string headers("\0\0\x01\x01\x04\0\0\0\x01\x88", 10);
  const std::string trailers("\0\0\x01\x01\x05\0\0\0\x01\x88", 10);
  const std::string serving("\0\0\x07\0\0\0\0\0\x01\0\0\0\0\x02\x08\x01", 16);
  EXPECT_EQ(told_of(settings + headers + serving + trailers, check, blind), "up: grpc: SERVING");
  EXPECT_EQ(told_of(settings + trailers, check, blind), "down: grpc: the call failed: there is no message");
  EXPECT_EQ(told_of("HTTP/1.1 400 Bad Request\r\n\r\n", check, blind), "down: grpc: this is no HTTP/2");
  EXPECT_EQ(told_of(settings, check, blind), "down: send: reset") << "closed, with the question unread";
  auto silent = [](Checked& server) {
    server.reads = false;
    server.closes = false;
  };
  EXPECT_EQ(told_of(settings, check, silent), "down: response: timed out after 2s");
  auto pings = [](Checked& server) {
    server.reads = false;
    server.endless = std::string("\0\0\x08\x06\0\0\0\0\0pingping", 17);
  };
  EXPECT_EQ(told_of(settings, check, pings), "down: grpc: more than 64 KiB, and no end");
}

// An agent beside a server that is up.
class Agents : public testing::Test {
 protected:
  explicit Agents() {
    agent_.reads = false;
    check_.interval = seconds(1);
    check_.agent = config::AgentCheck{.place = {.port = agent_.address().port()}};
  }
  void start() {
    w_.set_check(check_);
    w_.add("s", server_.address());
  }
  // What it wants a second and a bit after it said this.
  config::AgentState wants(const std::string& answer) {
    agent_.answer = answer;
    w_.run_for(milliseconds(1'100));
    return w_.agents["s"];
  }

  HealthWorld w_{1};
  Checked server_{w_, kOk};
  Checked agent_{w_, "up"};
  config::HealthCheck check_ = http();
};

TEST_F(Agents, SayWhatTheirServersAreToGet) {
  start();
  w_.run_for(milliseconds(100));
  EXPECT_EQ(w_.told["s"], "up: status 200");
  EXPECT_EQ(w_.agents["s"].said, "up");
  config::AgentState state = wants("75% maxconn:30\r\n");
  EXPECT_EQ(state.weight_percent, 75u);
  EXPECT_EQ(state.max_connections, 30u);
  state = wants(
      "down # disk\x01"
      "full\nand more\n");
  EXPECT_TRUE(state.is_down);
  EXPECT_EQ(state.said, "down # disk?full");
  EXPECT_EQ(state.weight_percent, 75u) << "it did not take that back";
  EXPECT_EQ(w_.told["s"], "up: status 200") << "the check is another thing";
  agent_.drip = milliseconds(50);
  EXPECT_EQ(wants("drain").wish, config::AgentState::Wish::kDrain)
      << "a line may come in pieces, and end with the stream";
}

TEST_F(Agents, ThatFailChangeNothingAndTheStateSaysSo) {
  start();
  config::AgentState good = wants("50% drain\n");
  auto problem = [&](const std::string& answer) {
    config::AgentState state = wants(answer);
    EXPECT_EQ(state.said, "50% drain");
    EXPECT_EQ(state.weight_percent, 50u);
    return state.problem;
  };
  EXPECT_EQ(problem("hello\n"), "answer: \"hello\" is not a word of an agent");
  EXPECT_EQ(problem(""), "answer: closed without a word");
  EXPECT_EQ(problem(std::string(1024, ' ') + "x\n"), "answer: a line of more than 1 KiB");
  agent_.endless = "megabytes of it ";
  EXPECT_EQ(problem("up "), "answer: a line of more than 1 KiB");
  agent_.endless.clear();
  agent_.closes = false;
  w_.run_for(seconds(1));
  EXPECT_EQ(problem("up"), "answer: timed out after 1s") << "no line end, and no end";
  agent_.closes = true;
  agent_.resets = true;
  agent_.reads = true;
  w_.run_for(seconds(1));
  EXPECT_EQ(problem(""), "answer: timed out after 1s") << "an agent that waits for a question";
  agent_.reads = false;
  w_.run_for(seconds(1));
  EXPECT_EQ(problem(""), "answer: reset");
  agent_.resets = false;
  EXPECT_EQ(wants("50% drain\n"), good);
  check_.agent->place.port = 9;
  w_.set_check(check_);
  EXPECT_EQ(problem(""), "connect: refused");
}

TEST_F(Agents, AreAskedWithAText) {
  check_.agent->send = "GET me\r\n\r\n";
  agent_.reads = true;
  start();
  EXPECT_EQ(wants("maint\n").wish, config::AgentState::Wish::kMaintenance);
  EXPECT_EQ(agent_.last.start_line, "GET me");
}

TEST_F(Agents, HaveTheirOwnInterval) {
  check_.interval = seconds(60);
  check_.agent->interval = seconds(2);
  start();
  w_.run_for(seconds(40));
  EXPECT_GE(agent_.times.size(), 18u);
  EXPECT_LE(server_.times.size(), 2u);
  EXPECT_EQ(agent_.most_open, 1);
}

TEST_F(Agents, MayBeAskedAlone) {
  check_.kind = config::NoCheck();
  start();
  EXPECT_TRUE(wants("down\n").is_down);
  EXPECT_EQ(server_.times.size(), 0u);
  EXPECT_FALSE(w_.checker.statistics().at(0).is_up);
  // A check beside it, and then without it.
  check_.kind = config::TcpCheck();
  w_.set_check(check_);
  w_.check("s");
  w_.run_for(milliseconds(1'100));
  EXPECT_GT(server_.times.size(), 0u);
  size_t asked = agent_.times.size();
  check_.agent.reset();
  w_.set_check(check_);
  w_.check("s");
  w_.run_for(seconds(5));
  EXPECT_LE(agent_.times.size(), asked + 1);
}

TEST_F(Checks, ComeWhenTheStateWantsThem) {
  HealthWorld w(7);
  Checked server(w, kOk);
  config::HealthCheck check = http();
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

TEST_F(Checks, AServerThatStartsSlowlyIsPendingUntilItsFirstSuccess) {
  HealthWorld w(1);
  Checked server(w, "HTTP/1.1 503 Starting\r\n\r\n");
  config::HealthCheck check = http();
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

TEST_F(Checks, NewsOfAFailureThatGoesOnAreTold) {
  HealthWorld w(1);
  Checked server(w, "HTTP/1.1 503 No\r\n\r\n");
  w.set_check(http());
  w.add("s", server.address(), /*in_service=*/true);
  w.run_for(seconds(35));
  EXPECT_EQ(w.all.size(), 1u) << "one failure is enough where it was in service unchecked";
  server.answer = "HTTP/1.1 500 No\r\n\r\n";
  w.run_for(seconds(35));
  ASSERT_EQ(w.all.size(), 2u);
  EXPECT_EQ(w.all.back().reason, "status: 500, expected 200-399");
  EXPECT_FALSE(w.all.back().is_up);
}

TEST_F(Checks, NeverTwoOfOneServerAtOnce) {
  HealthWorld w(3);
  Checked server(w, "");
  server.closes = false;
  config::HealthCheck check = http();
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

TEST_F(Checks, SoManyAtATimeAndNoMore) {
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
TEST_F(Checks, OfAHundredThousandAllAreKnownSoonAndNoneWaitsForTheSilent) {
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

TEST_F(Checks, ManyThatBeginTogetherDoNotStayTogether) {
  HealthWorld w(1);
  config::HealthCheck check;
  check.interval = seconds(10);
  w.set_check(check);
  std::vector<std::unique_ptr<Checked>> servers;
  for (int i = 0; i < 300; ++i) {
    servers.push_back(std::make_unique<Checked>(w, ""));
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

TEST_F(Checks, SettingsChangeInPlace) {
  HealthWorld w(1);
  Checked server(w, kOk);
  config::HealthCheck check = http();
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

TEST_F(Checks, AChecksOwnPlaceTakesThePlaceOfTheServers) {
  HealthWorld w(1);
  Checked server(w, kOk);
  config::HealthCheck check = http();
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

TEST_F(Checks, ARemovedServersCheckEndsAtOnceAndIsNotTold) {
  HealthWorld w(1);
  Checked server(w, "");
  server.closes = false;
  w.set_check(http());
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

TEST_F(Checks, ACheckThatBeginsAnewForgetsWhatTheLastOneFound) {
  HealthWorld w(1);
  Checked server(w, kOk);
  w.set_check(http());
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

TEST_F(Checks, WhatCannotBeAskedSaysNothing) {
  HealthWorld w(1);
  Checked server(w, kOk);
  w.set_check(http());
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

TEST_F(Checks, AreCountedByServer) {
  HealthWorld w(1);
  Checked server(w, kOk);
  w.set_check(http());
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
