// A client that sends bytes as they are, and tells what came back.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "runtime/scope.h"
#include "sim_world/http_world.h"

namespace fairlead::sim {

// Sends bytes over a new connection, and reads until the proxy closes it.
struct RawExchange {
  RawExchange(HttpWorld& of, std::string bytes) : w(of), scope(w.world.clients().loop) {
    start = w.world.network().now();
    scope.spawn(run(std::move(bytes)));
  }
  void finish() {
    ASSERT_TRUE(w.world.run_until([&] { return scope.running() == 0; }));
  }
  runtime::Task<void> run(std::string bytes) {
    HttpPeer peer(w.world.clients(), w.address);
    connected = co_await peer.connected();
    if (!connected) co_return;
    co_await peer.send(std::move(bytes));
    PeerBody all = co_await peer.read_to_end();
    received = std::move(all.bytes);
    clean = all.complete;
    took = w.world.network().now() - start;
  }
  HttpWorld& w;
  TimePoint start;
  bool connected = false;
  bool clean = false;
  std::string received;
  Duration took{};
  runtime::Scope scope;
};

}  // namespace fairlead::sim
