// An origin that does what the plan in each request says, and remembers what it saw.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "net/acceptor.h"
#include "runtime/scope.h"
#include "sim_world/http_peer.h"
#include "sim_world/plan.h"
#include "sim_world/proxy_world.h"

namespace fairlead::sim {

// What all origins of a test saw, by the plans' ids.
struct Seen {
  // How often a request's head came: its side effect.
  std::map<uint64_t, int> requests;
  // In order of coming.
  std::vector<uint64_t> order;
  // Requests whose body was not what the client sent.
  std::set<uint64_t> wrong_bodies;
  // Bodies that came to a proper end.
  std::set<uint64_t> whole_bodies;
  // Start lines of requests that no client has sent so.
  std::vector<std::string> strange;
  std::vector<PeerHead> heads;
};

class Origin {
 public:
  // Listens at a new address of the origins' host.
  Origin(ProxyWorld& world, Seen& seen);
  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  const config::Endpoint& address() const { return address_; }
  size_t connections() const { return peers_.size(); }
  int accepted() const { return accepted_; }
  // As when its process ends: no more connections, and those that exist break.
  void stop();
  // After the clients and the proxy are done: until all connections have ended.
  bool is_done() const { return scope_.running() == 0; }

 private:
  runtime::Task<void> accept_all();
  runtime::Task<void> serve(int fd);
  // False: the connection carries nothing more.
  runtime::Task<bool> exchange(HttpPeer& peer);
  runtime::Task<bool> answer(HttpPeer& peer, const Plan& plan);
  runtime::Task<bool> read_request_body(HttpPeer& peer, const PeerHead& head, const Plan& plan);

  ProxyWorld& world_;
  Seen& seen_;
  int fd_;
  config::Endpoint address_;
  net::Acceptor acceptor_;
  std::set<HttpPeer*> peers_;
  int accepted_ = 0;
  runtime::Scope scope_;
};

}  // namespace fairlead::sim
