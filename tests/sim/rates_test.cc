// Limits for requests in a time: of a listener, of a route, of a client address.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"

namespace fairlead::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Each;
using testing::HasSubstr;
using testing::StartsWith;

config::RateLimit limit(uint32_t requests, Duration per, uint32_t burst) {
  return {.requests = requests, .per = per, .burst = burst};
}

class Rates : public testing::Test {
 protected:
  void open(const config::Listener& listener) { w_.open(listener); }
  void change(const config::Listener& listener) {
    w_.world.configuration().set_listener("web", listener);
    w_.world.publish();
  }
  std::string ask(const std::string& rest = "") {
    Plan plan{.id = ++last_id_, .response_size = 3};
    std::string head = plan.request_head("a");
    RawExchange exchange(w_, head.substr(0, head.size() - 2) + "Connection: close\r\n" + rest + "\r\n");
    exchange.finish();
    return exchange.received;
  }
  std::vector<std::string> ask_often(int count) {
    std::vector<std::string> statuses;
    for (int i = 0; i < count; ++i) statuses.push_back(ask().substr(9, 3));
    return statuses;
  }
  uint64_t refused() {
    uint64_t sum = 0;
    for (auto& worker : w_.world.workers()) {
      for (auto& listener : worker->listeners.statistics()) sum += listener.rate_limited;
    }
    return sum;
  }

  HttpWorld w_{1, 2};
  uint64_t last_id_ = 0;
};

TEST_F(Rates, OfAListenerIsOneForAllWorkersAndSaysWhenToComeAgain) {
  config::Listener listener = HttpWorld::listener();
  listener.rate_limit = limit(1, seconds(30), 4);
  open(listener);
  EXPECT_THAT(ask_often(4), Each("200"));
  std::string answer = ask();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nRetry-After: 30\r\n"));
  EXPECT_EQ(refused(), 1u);
  EXPECT_EQ(w_.world.statistics("app").counters.started, 4u);
  w_.world.network().run_for(seconds(30));
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 429 "));
  // In place: what has been taken stays taken, a greater bucket has more.
  listener.rate_limit.burst = 6;
  change(listener);
  EXPECT_THAT(ask_often(2), Each("200"));
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 429 "));
  listener.rate_limit = {};
  change(listener);
  EXPECT_THAT(ask_often(5), Each("200"));
}

TEST_F(Rates, OfARouteLeavesOthersAlone) {
  config::Listener listener = HttpWorld::listener();
  listener.routes = {
      {.hosts = {}, .path_prefix = "/exchange/2", .backend = "app", .rate_limit = limit(1, seconds(30), 1)}};
  open(listener);
  auto ask_for = [&](uint64_t id) {
    last_id_ = id - 1;
    return ask().substr(9, 3);
  };
  EXPECT_EQ(ask_for(2), "200");
  EXPECT_EQ(ask_for(2), "429");
  EXPECT_EQ(ask_for(3), "200");
  EXPECT_EQ(ask_for(3), "200");
  // Its bucket outlives a change beside it.
  listener.labels = {{"a", "b"}};
  change(listener);
  EXPECT_EQ(ask_for(2), "429");
}

TEST_F(Rates, OfAClientGoesByItsAddress) {
  config::Listener listener = HttpWorld::listener();
  listener.client_rate_limit.limit = limit(1, seconds(30), 2);
  open(listener);
  EXPECT_THAT(ask_often(2), Each("200"));
  EXPECT_EQ(ask().substr(9, 3), "429");
  SimHost other(w_.world.network(), "another client", "192.168.0.2");
  struct Ask {
    static runtime::Task<void> run(HttpPeer& peer, std::string bytes, std::string& got) {
      bool connected = co_await peer.connected();
      if (!connected) co_return;
      co_await peer.send(std::move(bytes));
      PeerBody all = co_await peer.read_to_end();
      got = all.bytes;
    }
  };
  std::string got;
  {
    runtime::Scope scope(other.loop);
    HttpPeer peer(other, w_.address);
    Plan plan{.id = 100, .response_size = 3};
    std::string head = plan.request_head("a");
    scope.spawn(Ask::run(peer, head.substr(0, head.size() - 2) + "Connection: close\r\n\r\n", got));
    ASSERT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
  }
  EXPECT_THAT(got, StartsWith("HTTP/1.1 200 "));
}

TEST_F(Rates, AConnectionGoesOnAfterARefusal) {
  config::Listener listener = HttpWorld::listener();
  listener.rate_limit = limit(1, seconds(1), 1);
  open(listener);
  Plan first{.id = 1, .response_size = 3};
  Plan second{.id = 2, .response_size = 3};
  std::string head = second.request_head("a");
  RawExchange exchange(w_, first.request_head("a") + second.request_head("a") + head.substr(0, head.size() - 2) +
                               "Connection: close\r\n\r\n");
  exchange.finish();
  EXPECT_THAT(exchange.received, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(refused(), 2u);
  EXPECT_THAT(exchange.received.substr(exchange.received.rfind("HTTP/1.1")), StartsWith("HTTP/1.1 429 "));
}

}  // namespace
}  // namespace fairlead::sim
