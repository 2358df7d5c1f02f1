// Clients that send planned requests through the proxy and judge what comes back.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/scope.h"
#include "sim_world/http_peer.h"
#include "sim_world/plan.h"
#include "sim_world/proxy_world.h"

namespace fairlead::sim {

enum class Outcome {
  // The origin's response, whole.
  kExact,
  // An answer of the proxy's own.
  kProxyError,
  // The connection ended before the response did, and that could be seen.
  kBroken,
  // Somebody else's response, or changed, or cut without a sign. Never right.
  kWrong,
  // Nothing happened for an hour. Never right.
  kHung,
};

struct Answer {
  Outcome outcome = Outcome::kHung;
  int status = 0;
  int interim_responses = 0;
  std::string note;
};

struct ClientOptions {
  // This many requests without a body are sent before the first response is read.
  int pipelined = 1;
  Duration pause{};
};

// Sends one after another over one connection, and over a new one whenever that has ended. Several run beside each
// other.
class HttpClients {
 public:
  HttpClients(ProxyWorld& world, config::Endpoint proxy)
      : world_(world), proxy_(std::move(proxy)), scope_(world.clients().loop) {}
  ~HttpClients();
  HttpClients(const HttpClients&) = delete;
  HttpClients& operator=(const HttpClients&) = delete;

  void start(std::vector<Plan> plans, ClientOptions options = {});
  bool are_done() const { return scope_.running() == 0; }
  const std::map<uint64_t, Answer>& answers() const { return answers_; }
  const std::map<uint64_t, Plan>& plans() const { return plans_; }
  // How many ended so.
  size_t count(Outcome outcome) const;

 private:
  runtime::Task<void> run(std::vector<Plan> plans, ClientOptions options);
  // How many were dealt with before the connection's end.
  runtime::Task<size_t> run_connection(std::span<const Plan> plans, ClientOptions options);
  runtime::Task<Answer> read_answer(HttpPeer& peer, const Plan& plan, bool& keep);

  ProxyWorld& world_;
  config::Endpoint proxy_;
  runtime::Scope scope_;
  std::map<uint64_t, Plan> plans_;
  std::map<uint64_t, Answer> answers_;
};

}  // namespace fairlead::sim
