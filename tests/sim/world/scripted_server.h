// A server that runs a story of the test's for each connection.
#pragma once

#include <functional>

#include "net/acceptor.h"
#include "runtime/scope.h"
#include "sim_world/http_peer.h"
#include "sim_world/proxy_world.h"

namespace fairlead::sim {

class ScriptedServer {
 public:
  // `story` makes a coroutine that outlives it; the connection ends with it.
  using Story = std::function<runtime::Task<void>(HttpPeer& peer)>;

  ScriptedServer(ProxyWorld& world, Story story)
      : world_(world),
        story_(std::move(story)),
        fd_(world.origins().driver.listen("10.1.0.1:0")),
        address_(world.origins().driver.local_address(fd_)),
        acceptor_(world.origins().loop, fd_),
        scope_(world.origins().loop) {
    scope_.spawn(accept_all());
  }
  ~ScriptedServer() {
    acceptor_.cancel();
    EXPECT_TRUE(world_.run_until([this] { return scope_.running() == 0; }));
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  const config::Endpoint& address() const { return address_; }

 private:
  runtime::Task<void> accept_all() {
    while (true) {
      auto accepted = co_await acceptor_.accept();
      if (!accepted) break;
      scope_.spawn(serve(accepted->fd));
    }
    acceptor_.channel().close();
  }
  runtime::Task<void> serve(int fd) {
    HttpPeer peer(world_.origins().loop, fd);
    co_await story_(peer);
  }

  ProxyWorld& world_;
  const Story story_;
  int fd_;
  config::Endpoint address_;
  net::Acceptor acceptor_;
  runtime::Scope scope_;
};

}  // namespace fairlead::sim
