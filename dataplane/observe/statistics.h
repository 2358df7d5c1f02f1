// Statistics as they leave the workers: copies of counters, taken by each worker in its own turn and added up.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/model.h"
#include "observe/bad_requests.h"
#include "observe/counters.h"
#include "observe/explanation.h"

namespace fairlead::observe {

struct ServerStatistics {
  config::Uid uid = 0;
  std::string name;
  Counters counters;
};

struct BackendStatistics {
  config::Uid uid = 0;
  std::string name;
  // Of all servers that it has or had, and of what failed before a server was found.
  Counters counters;
  // Those that a worker has used and that are not gone; sorted by uid. Empty where not asked for.
  std::vector<ServerStatistics> servers;
  // So few of its servers are healthy that all take requests; its backups do. At the moment.
  bool panic = false;
  bool on_backups = false;
  // Servers that DNS names, at the moment.
  uint64_t discovered = 0;
};

// Why a connection was closed before anything of the client's was read.
enum class Refusal : uint8_t {
  // Over the limit of the listener,
  kListenerFull,
  // of the process,
  kProcessFull,
  // of the client's address.
  kClientFull,
  // The process is short of memory or descriptors.
  kOverload,
  // By the listener's rules for addresses.
  kDenied,
  // Not from whom the listener takes PROXY headers;
  kUntrusted,
  // with one that is absent, malformed or late.
  kProxyHeader,
};
inline constexpr size_t kRefusals = 7;
using Refusals = std::array<uint64_t, kRefusals>;
// "listener_full" ...
std::string_view name_of(Refusal refusal);

struct ListenerStatistics {
  config::Uid uid = 0;
  std::string name;
  uint64_t connections = 0;  // gauge
  uint64_t accepted = 0;
  // Of all refusals.
  uint64_t refused = 0;
  Refusals refusals{};
  // Requests and TCP connections over a limit for those of a time.
  uint64_t rate_limited = 0;
  // What came and was no request: malformed, too large, too slow. Answered with 4xx or 5xx by ourselves.
  BadRequests bad_requests = {};
  uint64_t unrouted = 0;
  uint64_t answered = 0;
  // Clients that were cut off because they sent or read too slowly.
  uint64_t too_slow = 0;
  // Of clients that speak TLS: whole handshakes, those that went on with a session from before, and those that came to
  // nothing.
  uint64_t tls_full = 0;
  uint64_t tls_resumed = 0;
  uint64_t tls_failed = 0;
};

// Of a server that is checked.
struct CheckStatistics {
  config::Uid backend_uid = 0;
  std::string backend;
  config::Uid server_uid = 0;
  std::string server;
  // It may take requests, as far as its checks go.
  bool is_up = false;
  uint64_t checks = 0;
  uint64_t failures = 0;
};

// Of a backend whose servers may be ejected.
struct EjectionStatistics {
  config::Uid backend_uid = 0;
  std::string backend;
  // At the moment.
  uint64_t ejected = 0;
  uint64_t ejections = 0;
  // Outliers that went on, because as many were ejected as may be.
  uint64_t refused = 0;
};

// Of DNS names, all together.
struct NameStatistics {
  // At the moment.
  uint64_t watched = 0;
  uint64_t lookups = 0;
  uint64_t failures = 0;
};

// Sorted by uid, each uid once. Of what exists and was used: what was deleted, and has nothing in flight, is absent.
struct Statistics {
  std::vector<BackendStatistics> backends;
  std::vector<ListenerStatistics> listeners;
  // Of all servers that are checked, where servers were asked for.
  std::vector<CheckStatistics> checks;
  std::vector<EjectionStatistics> ejections;
  NameStatistics names;
  // Access log lines that were dropped because the writer was behind.
  uint64_t log_lines_dropped = 0;

  // Adds what another worker saw.
  void merge(Statistics other);
  // Each name once, for those who know things by name only: a name in use again stands for its present holder and for
  // all that still finish something. Each has the uid of the first, and stands where that stood.
  void sum_by_name();
};

// What carries requests or connections, by handle.
struct ServerHandle {
  config::BackendHandle backend;
  config::Slot slot = 0;
  config::Uid uid = 0;
};
struct ListenerHandle {
  config::Uid uid = 0;
};
// What one of these has at the moment.
struct Traffic {
  // Of a listener: open connections.
  uint64_t in_flight = 0;
  // Waits for a place on the server alone, or on any of the backend's.
  uint64_t queued = 0;
  Traffic operator+(const Traffic& other) const { return {in_flight + other.in_flight, queued + other.queued}; }
};
using Carrier = std::variant<ServerHandle, config::BackendHandle, ListenerHandle>;

class Collector {
 public:
  virtual ~Collector() = default;
  // From any thread; `done` is called once, on some other thread, when all workers have answered. Cumulative since the
  // process started, so two of them differ by exactly what happened in between. When the workers have ended, `done`
  // gets what they had last.
  virtual void collect(bool servers, std::function<void(Statistics)> done) = 0;
  // Only what each of these has at the moment, in their order. Costs the workers a look for each and nothing for what
  // else they have. As above; zeros when the workers have ended.
  virtual void count_traffic(std::vector<Carrier> carriers, std::function<void(std::vector<Traffic>)> done) = 0;
  // What one of the workers would do with a request now. Changes nothing. As above; nothing is known when the workers
  // have ended.
  virtual void explain(Question question, std::function<void(Explanation)> done) = 0;
};

}  // namespace fairlead::observe
