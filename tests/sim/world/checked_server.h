// A server that answers checks of its health as a test says, and what such checks mostly are.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/sleep.h"
#include "sim_world/health_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {

inline config::HealthCheck http_check(std::string body = "") {
  config::HealthCheck check;
  config::HttpCheck kind;
  kind.path = "/healthz";
  kind.body_contains = std::move(body);
  check.kind = kind;
  check.interval = std::chrono::seconds(10);
  check.timeout = std::chrono::seconds(2);
  return check;
}

// A server that answers checks with what the test says, and remembers when they came.
class CheckedServer {
 public:
  CheckedServer(HealthWorld& w, std::string answer)
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

inline constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace fairlead::sim
