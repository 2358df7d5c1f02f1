// Algorithms that go by latency, with real sessions: the slow, the failing and those that say they are full get little.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/sleep.h"
#include "sim_world/http_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using config::Algorithm;
using std::chrono::milliseconds;
using std::chrono::seconds;

// How a server behaves; may change while it serves.
struct Manner {
  Duration latency = milliseconds(10);
  std::string header = {};
  bool resets = false;
  int requests = 0;
};

class Latencies : public testing::TestWithParam<Algorithm> {
 protected:
  static constexpr size_t kServers = 8;

  Latencies() {
    for (size_t i = 0; i < kServers; ++i) {
      servers_.push_back(std::make_unique<ScriptedServer>(
          w_.world, [this, i](HttpPeer& peer) { return serve(w_.world, peer, manners_[i]); }));
      w_.world.configuration().add_server("app", "s" + std::to_string(i), servers_.back()->address());
    }
    config::Backend settings;
    settings.algorithm = GetParam();
    settings.peak_ewma.decay = seconds(5);
    w_.set_backend(settings);
    w_.open();
  }
  ~Latencies() override { w_.world.shut_down(); }

  static Task<void> serve(ProxyWorld& world, HttpPeer& peer, Manner& manner) {
    while (true) {
      std::optional<PeerHead> head = co_await peer.read_head();
      if (!head) co_return;
      ++manner.requests;
      if (manner.resets) {
        world.origins().driver.reset(peer.stream().channel().fd());
        co_return;
      }
      TimePoint until = world.network().now() + manner.latency;
      co_await runtime::Sleep(world.origins().loop, until);
      bool sent = co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + manner.header + "\r\nok");
      if (!sent) co_return;
    }
  }

  // One after the other on a connection of its own.
  static Task<void> ask(HttpWorld& w, int count, int& answered) {
    HttpPeer peer(w.world.clients(), w.address);
    bool connected = co_await peer.connected();
    if (!connected) co_return;
    for (int i = 0; i < count; ++i) {
      bool sent = co_await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      if (!sent) co_return;
      std::optional<PeerHead> head = co_await peer.read_head();
      if (!head) co_return;
      PeerBody body = co_await peer.read_body(*head, /*until_close=*/false);
      answered += head->status() == 200;
    }
  }

  // The first server's share of so many requests.
  double share_of_first(int per_client = 400) {
    for (Manner& manner : manners_) manner.requests = 0;
    int answered = 0;
    runtime::Scope scope(w_.world.clients().loop);
    for (int client = 0; client < 6; ++client) scope.spawn(ask(w_, per_client, answered));
    EXPECT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
    int all = 0;
    for (const Manner& manner : manners_) all += manner.requests;
    EXPECT_GE(answered, 6 * per_client * 95 / 100);
    return static_cast<double>(manners_[0].requests) / all;
  }

  HttpWorld w_{1, 2, 0};
  std::vector<Manner> manners_ = std::vector<Manner>(kServers);
  std::vector<std::unique_ptr<ScriptedServer>> servers_;
};
INSTANTIATE_TEST_SUITE_P(Algorithms, Latencies, testing::Values(Algorithm::kPeakEwma, Algorithm::kPrequal),
                         [](const auto& test) { return test.param == Algorithm::kPrequal ? "Prequal" : "PeakEwma"; });

TEST_P(Latencies, EqualServersShareTheLoad) {
  double share = share_of_first();
  EXPECT_GT(share, 0.04);
  EXPECT_LT(share, 0.3);
}

TEST_P(Latencies, ASlowServerGetsLittleAndIsFoundAgainWhenItIsFast) {
  manners_[0].latency = milliseconds(500);
  EXPECT_LT(share_of_first(), 0.02);
  manners_[0].latency = milliseconds(10);
  share_of_first(3'000);  // some 30 seconds
  EXPECT_GT(share_of_first(), 0.03);
}

TEST_P(Latencies, WhoFailsFastDoesNotLookFast) {
  manners_[0].resets = true;
  EXPECT_LT(share_of_first(), 0.02);
}

class Reports : public Latencies {};
INSTANTIATE_TEST_SUITE_P(Algorithms, Reports, testing::Values(Algorithm::kPrequal),
                         [](const auto&) { return "Prequal"; });

TEST_P(Reports, WhoSaysThatItIsFullGetsLittle) {
  manners_[0].latency = milliseconds(2);
  double before = share_of_first();
  EXPECT_GT(before, 0.15) << "it is the fastest";
  manners_[0].header = "endpoint-load-metrics: TEXT cpu_utilization=1.2\r\n";
  EXPECT_LT(share_of_first(), before / 3);
  manners_[0].header = "Endpoint-Load-Metrics: JSON {\"named_metrics\": {\"requests_in_flight\": 100}}\r\n";
  EXPECT_LT(share_of_first(), before / 3) << "busy with what comes from others";
  manners_[0].header = "endpoint-load-metrics: TEXT cpu_utilization=0.2\r\n";
  EXPECT_GT(share_of_first(), 0.15);
}

}  // namespace
}  // namespace fairlead::sim
