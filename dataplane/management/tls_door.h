// How clients with TLS come in: the handshake here, on the door's loop, and only whoever has shown a certificate that
// is believed gets to gRPC, through a pair of sockets between which and the client's the bytes are passed on. So
// nothing of gRPC runs for anybody else, and each call's client is known by the inner socket's name (peers.h). One
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "management/credentials.h"
#include "management/log_budget.h"
#include "management/peers.h"
#include "net/stream.h"
#include "runtime/scope.h"
#include "tls/handshake.h"
#include "tls/worker.h"

namespace fairlead::management {

class TlsDoor {
 public:
  // Of more, the oldest is broken off: clients are done within milliseconds, those that never are make room.
  static constexpr size_t kHandshakesMax = 128;
  // More are closed as they come; and so are more of one client, by its certificate's name, so that none keeps out
  // others.
  static constexpr size_t kConnectionsMax = 1000;
  static constexpr size_t kConnectionsOfOneMax = 250;

  // `take` is given the inner sockets, and owns them. The others outlive this.
  TlsDoor(runtime::Loop& loop, std::shared_ptr<Credentials> credentials, Peers& peers, Counts& counts,
          std::function<void(int fd)> take);

  // A connection from `address`, which is owned from now on.
  void come_in(int fd, std::string address);
  // Handshakes are under way.
  bool is_shaking() const { return !shaking_.empty(); }
  // Nobody gets in any more; those who are in go on.
  void close();
  // Those who are in are cut off.
  void cut_off();
  runtime::Scope& connections() { return connections_; }

 private:
  runtime::Task<void> serve(int fd, std::string address);
  runtime::Task<void> serve_inside(net::Stream& client, Peer peer);
  void refuse(const std::string& address, const std::string& reason);
  void note_failed(net::Stream& client, tls::Outcome outcome, const std::string& address);

  runtime::Loop& loop_;
  const std::shared_ptr<Credentials> credentials_;
  Peers& peers_;
  Counts& counts_;
  const std::function<void(int fd)> take_;
  tls::Worker worker_;
  bool closed_ = false;
  LogBudget log_;
  // In the order of coming.
  std::vector<net::Stream*> shaking_;
  absl::flat_hash_set<net::Stream*> open_;
  // By name: how many are in.
  absl::flat_hash_map<std::string, size_t> of_one_;
  runtime::Scope connections_;
};

}  // namespace fairlead::management
