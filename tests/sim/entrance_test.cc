// Who may come in: PROXY headers, rules for addresses, limits for each client, and clients that take their time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <deque>

#include "runtime/sleep.h"
#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"

namespace fairlead::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

config::ProxyProtocol trusting(const std::string& network, bool allow_others = false) {
  config::ProxyProtocol proxy{.trusted = {network}, .allow_others = allow_others};
  proxy.table = std::make_shared<const config::NetworkTable>(
      std::vector<config::NetworkTable::Entry>{{config::Network::parse(network).value(), true}}, false);
  return proxy;
}

config::AccessControl denying(const std::string& network) {
  config::AccessControl access{.rules = {{config::AccessAction::kDeny, {network}}}, .otherwise = {}};
  access.table = std::make_shared<const config::NetworkTable>(
      std::vector<config::NetworkTable::Entry>{{config::Network::parse(network).value(), false}}, true);
  return access;
}

// A client that sends pieces with pauses between them, and reads until the end.
struct Piecemeal {
  Piecemeal(HttpWorld& of, std::vector<std::string> to_send, Duration between)
      : w(of), pieces(std::move(to_send)), pause(between), scope(w.world.clients().loop) {
    start = w.world.network().now();
    scope.spawn(run());
  }
  runtime::Task<void> send_all(HttpPeer& peer) {
    for (const std::string& piece : pieces) {
      bool sent = co_await peer.send(piece);
      if (!sent) co_return;
      co_await runtime::Sleep(w.world.clients().loop, w.world.clients().loop.now() + pause);
      if (ended) co_return;
    }
  }
  runtime::Task<void> run() {
    HttpPeer peer(w.world.clients(), w.address);
    bool connected = co_await peer.connected();
    if (!connected) co_return;
    runtime::Scope sending(w.world.clients().loop);
    sending.spawn(send_all(peer));
    PeerBody all = co_await peer.read_to_end();
    received = std::move(all.bytes);
    took = w.world.network().now() - start;
    ended = true;
    co_await sending.join();
  }
  void finish() {
    ASSERT_TRUE(w.world.run_until([&] { return scope.running() == 0; }));
  }
  HttpWorld& w;
  std::vector<std::string> pieces;
  Duration pause;
  TimePoint start;
  std::string received;
  Duration took{};
  bool ended = false;
  runtime::Scope scope;
};

std::vector<std::string> byte_by_byte(const std::string& text) {
  std::vector<std::string> pieces;
  for (char byte : text) pieces.emplace_back(1, byte);
  return pieces;
}

class Entrance : public testing::Test {
 protected:
  void open(const config::Listener& listener) { w_.open(listener); }
  void change(const config::Listener& listener) {
    w_.world.configuration().set_listener("web", listener);
    w_.world.publish();
  }
  std::string request(const std::string& further = "") {
    Plan plan{.id = ++last_id_, .response_size = 3};
    std::string head = plan.request_head("a");
    return head.substr(0, head.size() - 2) + "Connection: close\r\n" + further + "\r\n";
  }
  std::string send(const std::string& bytes) {
    RawExchange exchange(w_, bytes);
    exchange.finish();
    return exchange.received;
  }
  observe::ListenerStatistics statistics() {
    observe::ListenerStatistics sum;
    for (auto& worker : w_.world.workers()) {
      for (const auto& listener : worker->listeners.statistics()) {
        sum.accepted += listener.accepted;
        sum.refused += listener.refused;
        sum.too_slow += listener.too_slow;
        for (size_t i = 0; i < observe::kRefusals; ++i) sum.refusals[i] += listener.refusals[i];
      }
    }
    return sum;
  }
  uint64_t refused(observe::Refusal cause) { return statistics().refusals[static_cast<size_t>(cause)]; }

  HttpWorld w_{1, 2};
  uint64_t last_id_ = 0;
};

constexpr const char* kHeader = "PROXY TCP4 203.0.113.7 10.0.0.1 4321 80\r\n";

TEST_F(Entrance, AProxyHeaderSaysWhoseTheConnectionIs) {
  config::Listener listener = HttpWorld::listener();
  listener.proxy_protocol = trusting("192.168.0.0/16");
  listener.access = denying("203.0.113.0/24");
  open(listener);
  // It is for the client that the rules hold, not for who connects.
  EXPECT_EQ(send(kHeader + request()), "");
  EXPECT_EQ(refused(observe::Refusal::kDenied), 1u);
  EXPECT_THAT(send("PROXY TCP4 198.51.100.1 10.0.0.1 4321 80\r\n" + request()), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(send("PROXY UNKNOWN\r\n" + request()), StartsWith("HTTP/1.1 200 "));
  listener.access = denying("192.168.0.0/16");
  change(listener);
  EXPECT_THAT(send(kHeader + request()), StartsWith("HTTP/1.1 200 "));
  // The connection's own address, where the header has none.
  EXPECT_EQ(send("PROXY UNKNOWN\r\n" + request()), "");
  EXPECT_EQ(refused(observe::Refusal::kDenied), 2u);
}

// Rows 158, 161, 166.
TEST_F(Entrance, WithoutAProperHeaderAConnectionIsClosedAndNothingIsServed) {
  config::Listener listener = HttpWorld::listener();
  listener.proxy_protocol = trusting("192.168.0.1");
  open(listener);
  for (const std::string& bytes :
       {request(), "PROXY TCP4 1.1.1.1\r\n" + request(), "PROXY " + std::string(200, 'x'),
        std::string("\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0", 16) + request(), std::string("PRO")}) {
    RawExchange exchange(w_, bytes);
    if (bytes == "PRO") w_.world.network().run_for(seconds(6));
    exchange.finish();
    EXPECT_EQ(exchange.received, "") << bytes;
  }
  EXPECT_EQ(refused(observe::Refusal::kProxyHeader), 5u);
  EXPECT_EQ(w_.world.statistics("app").counters.started, 0u);
}

// Row 168.
TEST_F(Entrance, AHeaderThatComesByteByByteHasItsTime) {
  config::Listener listener = HttpWorld::listener();
  listener.proxy_protocol = trusting("192.168.0.1");
  listener.timeouts.proxy_header = seconds(30);
  open(listener);
  Piecemeal good(w_, byte_by_byte(kHeader + request()), milliseconds(100));
  good.finish();
  EXPECT_THAT(good.received, StartsWith("HTTP/1.1 200 "));
  Piecemeal slow(w_, byte_by_byte(kHeader), seconds(1));
  slow.finish();
  EXPECT_EQ(slow.received, "");
  EXPECT_GE(slow.took, seconds(30));
  EXPECT_LE(slow.took, seconds(31));
  EXPECT_EQ(refused(observe::Refusal::kProxyHeader), 1u);
}

// Row 167.
TEST_F(Entrance, AHeaderFromElsewhereIsNoHeader) {
  config::Listener listener = HttpWorld::listener();
  listener.proxy_protocol = trusting("10.0.0.0/8");
  open(listener);
  EXPECT_EQ(send(kHeader + request()), "");
  EXPECT_EQ(send(request()), "");
  EXPECT_EQ(refused(observe::Refusal::kUntrusted), 2u);
  listener.proxy_protocol = trusting("10.0.0.0/8", /*allow_others=*/true);
  change(listener);
  EXPECT_THAT(send(request()), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(send(kHeader + request()), StartsWith("HTTP/1.1 400 "));
  // And where nobody is asked for one.
  listener.proxy_protocol = {};
  change(listener);
  EXPECT_THAT(send(kHeader + request()), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(send(std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16) + request()), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(send(request()), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Entrance, RulesOfAddressesChangeInPlace) {
  config::Listener listener = HttpWorld::listener();
  open(listener);
  EXPECT_THAT(send(request()), StartsWith("HTTP/1.1 200 "));
  listener.access = denying("192.168.0.1");
  change(listener);
  EXPECT_EQ(send(request()), "");
  EXPECT_EQ(refused(observe::Refusal::kDenied), 1u);
  EXPECT_EQ(statistics().accepted, 1u);
  listener.access = denying("192.168.0.2");
  change(listener);
  EXPECT_THAT(send(request()), StartsWith("HTTP/1.1 200 "));
}

// Catalogue C4.
TEST_F(Entrance, AClientHasOnlySoManyConnections) {
  config::Listener listener = HttpWorld::listener();
  listener.max_connections_per_client = 3;
  listener.proxy_protocol = trusting("192.168.0.0/16");
  open(listener);
  std::deque<RawExchange> open_ones;
  for (int i = 0; i < 3; ++i) open_ones.emplace_back(w_, kHeader);
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(send(kHeader + request()), "");
  EXPECT_EQ(refused(observe::Refusal::kClientFull), 1u);
  // Others have places of their own; of IPv6 a network has.
  EXPECT_THAT(send("PROXY TCP4 203.0.113.8 10.0.0.1 1 80\r\n" + request()), StartsWith("HTTP/1.1 200 "));
  std::deque<RawExchange> of_a_network;
  for (int i = 1; i <= 3; ++i) {
    of_a_network.emplace_back(w_, "PROXY TCP6 2001:db8::" + std::to_string(i) + " ::1 1 80\r\n");
  }
  w_.world.network().run_for(milliseconds(100));
  EXPECT_EQ(send("PROXY TCP6 2001:db8::9 ::1 1 80\r\n" + request()), "");
  EXPECT_THAT(send("PROXY TCP6 2001:db8:0:1::9 ::1 1 80\r\n" + request()), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(refused(observe::Refusal::kClientFull), 2u);
  // A place is free again when its connection ends, whatever the limit has become meanwhile.
  listener.max_connections_per_client = {};
  listener.timeouts.request_head = seconds(1);
  change(listener);
  EXPECT_THAT(send(kHeader + request()), StartsWith("HTTP/1.1 200 "));
  w_.world.close_listener("web");
  for (auto* group : {&open_ones, &of_a_network}) {
    for (RawExchange& exchange : *group) exchange.finish();
  }
}

TEST_F(Entrance, TheProcessHasOnlySoManyConnections) {
  proxy::ProcessState process;
  process.max_connections = 2;
  for (auto& worker : w_.world.workers()) worker->context.process = &process;
  config::Listener listener = HttpWorld::listener();
  listener.timeouts.request_head = seconds(10);
  open(listener);
  RawExchange first(w_, "G");
  RawExchange second(w_, "G");
  w_.world.network().run_for(seconds(1));
  EXPECT_EQ(send(request()), "");
  EXPECT_EQ(refused(observe::Refusal::kProcessFull), 1u);
  first.finish();
  second.finish();
  EXPECT_THAT(send(request()), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(process.connections.load(), 0u);
  // Steps of an overload.
  process.overload = proxy::OverloadStep::kNoKeepAlive;
  Plan plan{.id = ++last_id_, .response_size = 3};
  EXPECT_THAT(send(plan.request_head("a")), HasSubstr("\r\nConnection: close\r\n"));
  process.overload = proxy::OverloadStep::kNoConnections;
  EXPECT_EQ(send(request()), "");
  EXPECT_EQ(refused(observe::Refusal::kOverload), 1u);
  process.overload = proxy::OverloadStep::kNone;
  EXPECT_THAT(send(request()), StartsWith("HTTP/1.1 200 "));
  for (auto& worker : w_.world.workers()) worker->context.process = &worker->context.no_limits;
}

// ---- slow clients (catalogue C1)

TEST_F(Entrance, AHeadThatComesTooSlowlyIsRefused) {
  config::Listener listener = HttpWorld::listener();
  listener.minimum_rates = {.head = 10, .grace = seconds(5)};
  open(listener);
  Piecemeal slow(w_, byte_by_byte(request()), seconds(1));
  slow.finish();
  EXPECT_THAT(slow.received, StartsWith("HTTP/1.1 408 "));
  // A second for each byte, of which it had a tenth: 5.5 are lost after 6.
  EXPECT_GE(slow.took, seconds(5));
  EXPECT_LE(slow.took, seconds(10));
  EXPECT_EQ(statistics().too_slow, 1u);
  Piecemeal good(w_, byte_by_byte(request()), milliseconds(80));
  good.finish();
  EXPECT_THAT(good.received, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(statistics().too_slow, 1u);
}

TEST_F(Entrance, WhoSendsAHeadSlowlyHoldsNoBuffer) {
  open(HttpWorld::listener());
  std::deque<Piecemeal> slow;
  for (int i = 0; i < 20; ++i) slow.emplace_back(w_, byte_by_byte(request()), seconds(1));
  w_.world.network().run_for(seconds(20) + milliseconds(500));
  for (auto& worker : w_.world.workers()) EXPECT_EQ(worker->context.buffers.in_use(), 0u);
  for (Piecemeal& one : slow) {
    one.finish();
    EXPECT_THAT(one.received, StartsWith("HTTP/1.1 200 "));
  }
}

std::vector<std::string> slow_body(uint64_t id, size_t size) {
  Plan plan{.id = id, .method = "POST", .request_size = size, .response_size = 3};
  std::string head = plan.request_head("a");
  std::vector<std::string> pieces{head.substr(0, head.size() - 2) + "Connection: close\r\n\r\n"};
  for (const std::string& byte : byte_by_byte(plan.request_body())) pieces.push_back(byte);
  return pieces;
}

TEST_F(Entrance, ABodyThatComesTooSlowlyIsRefused) {
  config::Listener listener = HttpWorld::listener();
  listener.minimum_rates = {.body = 10, .grace = seconds(5)};
  open(listener);
  Piecemeal slow(w_, slow_body(1, 100), seconds(1));
  slow.finish();
  EXPECT_THAT(slow.received, StartsWith("HTTP/1.1 408 "));
  EXPECT_GE(slow.took, seconds(5));
  EXPECT_LE(slow.took, seconds(10));
  EXPECT_EQ(statistics().too_slow, 1u);
  Piecemeal good(w_, slow_body(2, 100), milliseconds(80));
  good.finish();
  EXPECT_THAT(good.received, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(statistics().too_slow, 1u);
}

TEST_F(Entrance, WhoSendsABodySlowlyHoldsNoBuffer) {
  open(HttpWorld::listener());
  std::deque<Piecemeal> slow;
  for (uint64_t id = 1; id <= 20; ++id) slow.emplace_back(w_, slow_body(id, 30), seconds(1));
  w_.world.network().run_for(seconds(20) + milliseconds(500));
  for (auto& worker : w_.world.workers()) EXPECT_EQ(worker->context.buffers.in_use(), 0u);
  for (Piecemeal& one : slow) {
    one.finish();
    EXPECT_THAT(one.received, StartsWith("HTTP/1.1 200 "));
  }
}

// Reads a byte at a time.
struct SlowReader {
  SlowReader(HttpWorld& of, std::string bytes, Duration between)
      : w(of), pause(between), scope(w.world.clients().loop) {
    start = w.world.network().now();
    scope.spawn(run(std::move(bytes)));
  }
  runtime::Task<void> run(std::string bytes) {
    HttpPeer peer(w.world.clients(), w.address);
    bool connected = co_await peer.connected();
    if (!connected) co_return;
    co_await peer.send(std::move(bytes));
    std::array<char, 512> room;
    while (true) {
      auto count = co_await peer.stream().read_some(room, runtime::kNever);
      if (!count || *count == 0) break;
      read += *count;
      co_await runtime::Sleep(w.world.clients().loop, w.world.clients().loop.now() + pause);
    }
    took = w.world.network().now() - start;
  }
  void finish() {
    ASSERT_TRUE(w.world.run_until([&] { return scope.running() == 0; }));
  }
  HttpWorld& w;
  Duration pause;
  TimePoint start;
  size_t read = 0;
  Duration took{};
  runtime::Scope scope;
};

TEST_F(Entrance, AResponseThatIsReadTooSlowlyIsBrokenOff) {
  config::Listener listener = HttpWorld::listener();
  listener.minimum_rates = {.send = 5000, .grace = seconds(5)};
  open(listener);
  Plan plan{.id = 1, .response_size = 3'000'000};
  std::string head = plan.request_head("a");
  head = head.substr(0, head.size() - 2) + "Connection: close\r\n\r\n";
  SlowReader slow(w_, head, seconds(1));
  slow.finish();
  EXPECT_LT(slow.read, 3'000'000u);
  EXPECT_EQ(statistics().too_slow, 1u);
  SlowReader good(w_, head, milliseconds(50));
  good.finish();
  EXPECT_GT(good.read, 3'000'000u);
  EXPECT_EQ(statistics().too_slow, 1u);
}

// ---- options of sockets

TEST_F(Entrance, OptionsOfSocketsChangeInPlace) {
  config::Listener listener = HttpWorld::listener();
  listener.tcp.connections.keep_alive.probes = 4;
  listener.tcp.backlog = 100;
  open(listener);
  test_support::SimDriver& driver = w_.world.workers().front()->host.driver;
  const int fd = 3;  // the first that the host has opened
  EXPECT_EQ(driver.option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(driver.option(fd, IPPROTO_TCP, TCP_KEEPCNT), 4);
  EXPECT_EQ(driver.option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), std::nullopt);
  EXPECT_EQ(driver.backlog(fd), 100);
  listener.tcp = {};
  listener.tcp.connections.user_timeout = milliseconds(1500);
  listener.tcp.defer_accept = seconds(3);
  change(listener);
  for (int i = 0; i < 20; ++i) send(request());
  EXPECT_EQ(driver.option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(driver.option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1500);
  EXPECT_EQ(driver.option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 3);
  EXPECT_EQ(driver.backlog(fd), 4096);
}

}  // namespace
}  // namespace fairlead::sim
