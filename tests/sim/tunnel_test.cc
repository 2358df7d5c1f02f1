// Tunnels, of TCP mode and after an upgrade: one that is cut off ends in a reset on both sides, so that nobody takes
// what has come for the whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/sleep.h"
#include "sim_world/http_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

enum class Kind { kTcp, kUpgraded };

// One side of a tunnel: it sends a greeting, and hears until the end.
struct Side {
  HttpPeer* peer = nullptr;  // while it is there
  bool ends_at_once = false;
  // How long it stays, saying nothing, after it has heard the end.
  Duration stays{};
  bool over = false;
  std::string heard;
  // The other side ended its direction; else the connection broke.
  bool clean = false;
};

class TunnelWorld {
 public:
  explicit TunnelWorld(Kind kind, Duration idle = hours(2))
      : kind_(kind), w(1, 1, 0), server_(w.world, [this](HttpPeer& peer) { return serve(peer); }) {
    config::Backend backend;
    backend.timeouts.idle = idle;
    w.world.configuration().set_backend("app", backend);
    w.world.configuration().add_server("app", "s", server_.address());
    w.world.network().faults().latency_min = w.world.network().faults().latency_max = milliseconds(1);
    config::Listener listener = HttpWorld::listener();
    listener.protocol = kind == Kind::kTcp ? config::Protocol::kTcp : config::Protocol::kHttp;
    w.open(listener);
    scope_.spawn(run_client());
  }
  ~TunnelWorld() {
    finish();
    w.clients.reset();
    w.world.shut_down();
  }

  // Until both have heard the other's greeting.
  void open() {
    ASSERT_TRUE(w.world.run_until([&] { return client.peer && server.peer; }));
    w.world.network().run_for(seconds(1));
  }
  void finish() {
    ASSERT_TRUE(w.world.run_until([&] { return client.over && server.over; }));
  }
  void expect_greetings() {
    EXPECT_EQ(server.heard, "hello server");
    EXPECT_EQ(client.heard, "hello client");
  }

 private:
  const Kind kind_;

 public:
  HttpWorld w;
  Side client;
  Side server;

 private:
  runtime::Task<void> run_client() {
    HttpPeer peer(w.world.clients(), w.address);
    bool connected = co_await peer.connected();
    EXPECT_TRUE(connected);
    if (kind_ == Kind::kUpgraded) {
      co_await peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      auto head = co_await peer.read_head();
      EXPECT_TRUE(head && head->status() == 101);
    }
    co_await take_part(peer, client, "hello server");
  }
  runtime::Task<void> serve(HttpPeer& peer) {
    if (kind_ == Kind::kUpgraded) {
      co_await peer.read_head();
      co_await peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    }
    co_await take_part(peer, server, "hello client");
  }
  static runtime::Task<void> take_part(HttpPeer& peer, Side& side, std::string greeting) {
    side.peer = &peer;
    co_await peer.send(std::move(greeting));
    if (side.ends_at_once) peer.stream().shutdown_write();
    PeerBody all = co_await peer.read_to_end();
    side.heard = all.bytes;
    side.clean = all.complete;
    co_await runtime::Sleep(peer.stream().loop(), peer.stream().loop().now() + side.stays);
    side.peer = nullptr;
    side.over = true;
  }

  ScriptedServer server_;
  runtime::Scope scope_{w.world.clients().loop};
};

class Tunnels : public testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Both, Tunnels, testing::Values(Kind::kTcp, Kind::kUpgraded),
                         [](auto& info) { return info.param == Kind::kTcp ? "Tcp" : "Upgraded"; });

TEST_P(Tunnels, ATunnelThatBothSidesEndEndsCleanly) {
  TunnelWorld t(GetParam());
  t.client.ends_at_once = t.server.ends_at_once = true;
  t.finish();
  t.expect_greetings();
  EXPECT_TRUE(t.client.clean);
  EXPECT_TRUE(t.server.clean);
}

TEST_P(Tunnels, ADrainsDeadlineResetsBothSides) {
  TunnelWorld t(GetParam());
  t.open();
  std::optional<uint64_t> cut;
  t.w.world.delete_server("app", "s", seconds(10), [&](uint64_t cut_off) { cut = cut_off; });
  t.finish();
  ASSERT_TRUE(t.w.world.run_until([&] { return cut.has_value(); }));
  EXPECT_EQ(*cut, 1u);
  t.expect_greetings();
  EXPECT_FALSE(t.client.clean);
  EXPECT_FALSE(t.server.clean);
}

TEST_P(Tunnels, AServerThatBreaksIsAResetForTheClient) {
  TunnelWorld t(GetParam());
  t.open();
  t.w.world.origins().driver.reset(t.server.peer->stream().channel().fd());
  t.finish();
  EXPECT_EQ(t.client.heard, "hello client");
  EXPECT_FALSE(t.client.clean);
}

TEST_P(Tunnels, AClientThatBreaksIsAResetForTheServer) {
  TunnelWorld t(GetParam());
  t.open();
  t.w.world.clients().driver.reset(t.client.peer->stream().channel().fd());
  t.finish();
  EXPECT_EQ(t.server.heard, "hello server");
  EXPECT_FALSE(t.server.clean);
}

// One direction has ended properly; the other is cut off and must not look the same.
TEST_P(Tunnels, AHalfOpenTunnelThatIsCutOffResetsWhoStillListens) {
  TunnelWorld t(GetParam());
  t.client.ends_at_once = true;
  t.server.stays = hours(1);
  t.open();
  EXPECT_FALSE(t.client.over);
  t.w.world.delete_server("app", "s", seconds(10), [](uint64_t) {});
  t.finish();
  t.expect_greetings();
  EXPECT_FALSE(t.client.clean);
}

TEST_P(Tunnels, ATunnelWithoutProgressResetsBothSides) {
  TunnelWorld t(GetParam(), seconds(20));
  t.finish();
  t.expect_greetings();
  EXPECT_FALSE(t.client.clean);
  EXPECT_FALSE(t.server.clean);
}

}  // namespace
}  // namespace fairlead::sim
