// TCP mode: bytes both ways, half-close, failures, drains.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/sleep.h"
#include "sim_world/http_world.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Who ends its direction first, and how much each sends.
struct Talk {
  uint64_t id = 0;
  size_t from_client = 0;
  size_t from_server = 0;
  // The server answers only when it has read the client's end.
  bool server_waits_for_end = false;
};

struct Heard {
  std::string bytes;
  bool ended = false;
};

class TcpWorld {
 public:
  explicit TcpWorld(uint64_t seed, Duration backend_idle = hours(2), Duration listener_idle = hours(2)) : world(seed) {
    config::Backend settings;
    settings.timeouts.idle = backend_idle;
    world.configuration().set_backend("app", settings);
    for (int i = 0; i < 3; ++i) add_server("s" + std::to_string(i));
    config::Listener listener;
    listener.protocol = config::Protocol::kTcp;
    listener.default_backend = "app";
    listener.timeouts.idle = listener_idle;
    address = world.open_listener("tcp", listener);
  }
  ~TcpWorld() {
    EXPECT_TRUE(world.run_until([&] { return clients.running() == 0; }));
    world.shut_down();
    for (auto& [name, acceptor] : acceptors) acceptor->cancel();
    EXPECT_TRUE(world.run_until([&] { return servers.running() == 0; }));
  }

  void add_server(const std::string& name) {
    int fd = world.origins().driver.listen("10.1.0.1:0");
    world.configuration().add_server("app", name, world.origins().driver.local_address(fd));
    acceptors[name] = std::make_unique<net::Acceptor>(world.origins().loop, fd);
    servers.spawn(accept_all(*acceptors[name]));
  }

  runtime::Task<void> accept_all(net::Acceptor& acceptor) {
    while (true) {
      auto accepted = co_await acceptor.accept();
      if (!accepted) break;
      servers.spawn(serve(accepted->fd));
    }
    acceptor.channel().close();
  }

  // The client's first line says what the talk is.
  runtime::Task<void> serve(int fd) {
    HttpPeer peer(world.origins().loop, fd);
    ++connections;
    auto head = co_await peer.read_head();
    if (!head) co_return;
    Talk talk = talks.at(std::stoull(head->start_line));
    runtime::Scope sending(world.origins().loop);
    if (!talk.server_waits_for_end) sending.spawn(send_all(peer, body_bytes(talk.id, "server", talk.from_server)));
    PeerBody all = co_await peer.read_to_end();
    at_server[talk.id] = {all.bytes, all.complete};
    if (talk.server_waits_for_end) sending.spawn(send_all(peer, body_bytes(talk.id, "server", talk.from_server)));
    co_await sending.join();
  }

  runtime::Task<void> send_all(HttpPeer& peer, std::string bytes) {
    bool sent = co_await peer.send(std::move(bytes));
    if (sent) peer.stream().shutdown_write();
  }

  runtime::Task<void> run(Talk talk) {
    HttpPeer peer(world.clients(), address);
    bool connected = co_await peer.connected();
    if (!connected) co_return;
    runtime::Scope sending(world.clients().loop);
    std::string bytes = std::to_string(talk.id) + "\r\n\r\n" + body_bytes(talk.id, "client", talk.from_client);
    sending.spawn(send_all(peer, std::move(bytes)));
    PeerBody all = co_await peer.read_to_end();
    at_client[talk.id] = {all.bytes, all.complete};
    co_await sending.join();
  }
  void start(Talk talk) {
    talks[talk.id] = talk;
    clients.spawn(run(talk));
  }

  void expect_whole(const Talk& talk) {
    EXPECT_TRUE(at_server[talk.id].ended && at_client[talk.id].ended) << talk.id;
    EXPECT_TRUE(at_server[talk.id].bytes == body_bytes(talk.id, "client", talk.from_client)) << talk.id;
    EXPECT_TRUE(at_client[talk.id].bytes == body_bytes(talk.id, "server", talk.from_server)) << talk.id;
  }
  void expect_beginnings() {
    for (auto& [id, talk] : talks) {
      EXPECT_TRUE(body_bytes(id, "client", talk.from_client).starts_with(at_server[id].bytes)) << id;
      EXPECT_TRUE(body_bytes(id, "server", talk.from_server).starts_with(at_client[id].bytes)) << id;
    }
  }

  ProxyWorld world;
  config::Endpoint address;
  std::map<uint64_t, Talk> talks;
  std::map<uint64_t, Heard> at_server;
  std::map<uint64_t, Heard> at_client;
  int connections = 0;
  std::map<std::string, std::unique_ptr<net::Acceptor>> acceptors;
  runtime::Scope servers{world.origins().loop};
  runtime::Scope clients{world.clients().loop};
};

class Tcp : public testing::TestWithParam<uint64_t> {
 protected:
  static Talk draw(Random& random, uint64_t id) {
    return {.id = id,
            .from_client = random.chance(0.2) ? 0 : random.below(random.chance(0.2) ? 300'000 : 3'000),
            .from_server = random.chance(0.2) ? 0 : random.below(random.chance(0.2) ? 300'000 : 3'000),
            .server_waits_for_end = random.chance(0.5)};
  }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Tcp, testing::Range(uint64_t{1}, uint64_t{51}));

TEST_P(Tcp, CarriesEveryByteBothWaysAndEachEndByItself) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  TcpWorld w(GetParam());
  Random random(GetParam());
  w.world.network().faults() = SimFaults::rough(random);
  for (uint64_t id = 1; id <= 10; ++id) w.start(draw(random, id));
  ASSERT_TRUE(w.world.run_until([&] { return w.clients.running() == 0 && w.at_server.size() == 10; }));
  for (auto& [id, talk] : w.talks) w.expect_whole(talk);
  observe::Counters counters = w.world.statistics("app").counters;
  EXPECT_EQ(counters.started, 10u);
}

TEST_P(Tcp, ResetsAtAnyMomentLeaveNothingAndMixNothing) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  TcpWorld w(GetParam());
  Random random(GetParam());
  w.world.network().faults() = SimFaults::rough(random);
  w.world.network().faults().reset = 0.01;
  for (uint64_t id = 1; id <= 10; ++id) w.start(draw(random, id));
  ASSERT_TRUE(w.world.run_until([&] { return w.clients.running() == 0; }));
  w.world.network().faults() = {};
  w.expect_beginnings();
}

// Connections that last, resets, and servers that come and go, with deadlines of all kinds.
TEST_P(Tcp, ServersThatComeAndGoLeaveNothingAndMixNothing) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  TcpWorld w(GetParam());
  Random random(GetParam());
  w.world.network().faults() = SimFaults::rough(random);
  w.world.network().faults().reset = random.chance(0.5) ? 0.002 : 0;
  std::vector<std::string> members{"s0", "s1", "s2"};
  int last = 2;
  int draining = 0;
  uint64_t cut = 0;
  auto change = [&] {
    if (members.size() < 4 && random.chance(0.5)) {
      members.push_back("s" + std::to_string(++last));
      w.add_server(members.back());
      return w.world.publish();
    }
    if (members.empty()) return;
    const size_t which = random.below(members.size());
    std::optional<Duration> timeout;
    if (random.chance(0.7)) timeout = milliseconds(random.below(2'000));
    const Duration jitter = timeout && random.chance(0.5) ? *timeout / 2 : Duration::zero();
    ++draining;
    auto drained = [&](uint64_t cut_off) {
      --draining;
      cut += cut_off;
    };
    w.world.delete_server("app", members[which], timeout, drained, jitter);
    members.erase(members.begin() + static_cast<ptrdiff_t>(which));
  };
  constexpr uint64_t kTalks = 40;
  uint64_t id = 0;
  while (id < kTalks || w.clients.running() > 0) {
    if (id < kTalks && (w.clients.running() == 0 || random.chance(0.02))) w.start(draw(random, ++id));
    if (random.chance(0.02)) change();
    ASSERT_TRUE(w.world.network().step());
  }
  w.world.network().faults() = {};
  auto in_flight = [&] { return w.world.statistics("app").counters.in_flight; };
  ASSERT_TRUE(w.world.run_until([&] { return draining == 0 && in_flight() == 0; }));
  w.expect_beginnings();
  observe::BackendStatistics after = w.world.statistics("app");
  EXPECT_EQ(after.counters.cut_off, cut);
  for (const auto& server : after.servers) EXPECT_EQ(server.counters.in_flight, 0u) << server.name;
  EXPECT_LE(after.servers.size(), members.size()) << "who has left is gone";
}

void expect_cut_after_20_seconds(TcpWorld& w) {
  TimePoint start = w.world.network().now();
  // The server waits for the client's end, which waits for the server: nobody speaks.
  w.talks[1] = {.id = 1};
  struct Silent {
    static runtime::Task<void> run(TcpWorld& world, bool& ended) {
      HttpPeer peer(world.world.clients(), world.address);
      bool connected = co_await peer.connected();
      EXPECT_TRUE(connected);
      PeerBody all = co_await peer.read_to_end();
      ended = true;
    }
  };
  bool ended = false;
  w.clients.spawn(Silent::run(w, ended));
  ASSERT_TRUE(w.world.run_until([&] { return ended; }));
  EXPECT_GE(w.world.network().now(), start + seconds(20));
  EXPECT_LE(w.world.network().now(), start + seconds(22));
}

TEST(TcpCase, AConnectionWithoutProgressIsCutAfterTheBackendsIdleTime) {
  TcpWorld w(1, seconds(20), hours(2));
  expect_cut_after_20_seconds(w);
}

TEST(TcpCase, AConnectionWithoutProgressIsCutAfterTheListenersIdleTime) {
  TcpWorld w(1, hours(2), seconds(20));
  expect_cut_after_20_seconds(w);
}

TEST(TcpCase, WithoutAServerTheConnectionIsClosed) {
  TcpWorld w(1);
  for (int i = 0; i < 3; ++i) {
    w.world.configuration().set_admin_state("app", "s" + std::to_string(i), config::AdminState::kMaintenance);
  }
  w.world.publish();
  w.start({.id = 1, .from_client = 10});
  ASSERT_TRUE(w.world.run_until([&] { return w.clients.running() == 0; }));
  EXPECT_EQ(w.connections, 0);
  EXPECT_EQ(w.at_client[1].bytes, "");
}

// How long a client waits for its end where no server takes its connection, be it that all refuse or that none answers.
Duration wait_in_vain(const config::RetryPolicy& policy, bool refused) {
  TcpWorld w(1);
  config::Backend settings;
  settings.timeouts.connect = seconds(30);
  settings.retry = policy;
  w.world.configuration().set_backend("app", settings);
  for (int i = 0; i < 3; ++i) {
    w.world.configuration().set_admin_state("app", "s" + std::to_string(i), config::AdminState::kMaintenance);
    w.world.configuration().add_server("app", "r" + std::to_string(i),
                                       config::Endpoint::parse("10.9.9.9:" + std::to_string(100 + i)).value());
  }
  w.world.publish();
  const TimePoint start = w.world.network().now();
  TimePoint ended{};
  struct Waiting {
    static runtime::Task<void> run(TcpWorld& world, bool refused, TimePoint& ended) {
      HttpPeer peer(world.world.clients(), world.address);
      co_await peer.connected();
      if (!refused) world.world.network().faults().black_hole_connect = 1;
      co_await peer.read_to_end();
      ended = world.world.network().now();
    }
  };
  w.clients.spawn(Waiting::run(w, refused, ended));
  EXPECT_TRUE(w.world.run_until([&] { return w.clients.running() == 0; }));
  EXPECT_EQ(w.connections, 0);
  return ended - start;
}

TEST(TcpTries, PauseAsThePolicySays) {
  config::RetryPolicy policy;
  policy.attempts = 3;
  const Duration without = wait_in_vain(policy, true);
  EXPECT_LT(without, seconds(1));
  policy.back_off = {.base = seconds(2), .max = seconds(4)};
  const Duration with = wait_in_vain(policy, true);
  // 2 + 4 + 4 s, or half of each.
  EXPECT_GE(with, seconds(5));
  EXPECT_LE(with, without + seconds(10));
}

TEST(TcpTries, HaveATimeOfTheirOwn) {
  config::RetryPolicy policy;
  policy.attempts = 1;
  const Duration without = wait_in_vain(policy, false);
  EXPECT_GE(without, seconds(59));
  policy.per_try_timeout = seconds(4);
  const Duration with = wait_in_vain(policy, false);
  EXPECT_GE(with, milliseconds(7'900));
  EXPECT_LE(with, seconds(9));
}

TEST(TcpCase, ADeletedServersConnectionsGoOnUntilTheDeadline) {
  TcpWorld w(1);
  // A client that keeps its direction open while the server waits for its end.
  struct Open {
    static runtime::Task<void> run(TcpWorld& world, uint64_t id, TimePoint& ended) {
      HttpPeer peer(world.world.clients(), world.address);
      co_await peer.connected();
      co_await peer.send(std::to_string(id) + "\r\n\r\n");
      PeerBody all = co_await peer.read_to_end();
      ended = world.world.network().now();
    }
  };
  std::array<TimePoint, 6> ended{};
  for (uint64_t id = 0; id < 6; ++id) {
    w.talks[id] = {.id = id, .server_waits_for_end = true};
    w.clients.spawn(Open::run(w, id, ended[id]));
  }
  w.world.network().run_for(seconds(1));
  EXPECT_EQ(w.connections, 6);
  TimePoint start = w.world.network().now();
  uint64_t cut = 0;
  int drained = 0;
  for (const char* name : {"s0", "s1", "s2"}) {
    w.world.delete_server("app", name, seconds(30), [&](uint64_t cut_off) {
      cut += cut_off;
      ++drained;
    });
  }
  w.world.network().run_for(seconds(29));
  EXPECT_EQ(drained, 0);
  EXPECT_EQ(w.clients.running(), 6u);
  ASSERT_TRUE(w.world.run_until([&] { return w.clients.running() == 0 && drained == 3; }));
  EXPECT_EQ(cut, 6u);
  for (TimePoint end : ended) EXPECT_LE(end, start + seconds(31));
}

}  // namespace
}  // namespace fairlead::sim
