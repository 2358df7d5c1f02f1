// The model: what a data plane is configured with, as immutable records.
//
// The store creates records, validates them (validate.h) and never changes one after it was published; a change is a
// new record under the same uid. Any thread may read them. Everything has been checked by then: who reads a record need
// not ask whether a weight is in range or a backend exists.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/ref.h"
#include "base/slab.h"
#include "config/access.h"
#include "config/backend_tls.h"
#include "config/circuit_limits.h"
#include "config/discovery.h"
#include "config/duration.h"
#include "config/endpoint.h"
#include "config/error_pages.h"
#include "config/failover.h"
#include "config/hash_key.h"
#include "config/health_check.h"
#include "config/http_policy.h"
#include "config/listener_tls.h"
#include "config/minimum_rates.h"
#include "config/outlier_detection.h"
#include "config/persistence.h"
#include "config/pool_settings.h"
#include "config/queue_policy.h"
#include "config/rate_limit.h"
#include "config/retry_policy.h"
#include "config/route_actions.h"
#include "config/route_table.h"
#include "config/send_proxy.h"
#include "config/server_extras.h"
#include "config/slow_start.h"
#include "config/tcp_options.h"
#include "http/forwarded_policy.h"

namespace fairlead::tls {
class ClientContext;
class ServerContext;
}  // namespace fairlead::tls

namespace fairlead::config {

// Never used twice in the life of a state; 0 is none.
using Uid = uint64_t;
// Servers that a discovery found are no part of the state that outlives the process, so their uids are apart: these
// begin with the time at which the process does.
inline constexpr Uid kDiscoveredUids = Uid{1} << 63;
// Grows by one with each transaction that changes something.
using Version = uint64_t;
// Grows by one with each snapshot that is published: for a new version, and for what is no configuration (health).
using Revision = uint64_t;
// A small number for a resource while it exists, lowest free one first, so that tables indexed by it stay dense. A slot
// is used again: together with the uid it is a handle that never means somebody else. Listeners, backends, and the
// servers of each backend, count on their own.
using Slot = uint32_t;

using WallTime = std::chrono::system_clock::time_point;

// Sorted by key.
using Labels = std::vector<std::pair<std::string, std::string>>;

inline constexpr uint32_t kWeightMax = 256;

struct Metadata {
  Uid uid = 0;
  Version version = 0;
  WallTime create_time;
  WallTime update_time;
};

enum class AdminState : uint8_t { kReady, kDrain, kMaintenance };
enum class Protocol : uint8_t { kTcp, kHttp };
enum class Algorithm : uint8_t {
  kRoundRobin,
  kRandom,
  kLeastConnections,
  kStaticRoundRobin,
  kFirst,
  kSticky,
  kPeakEwma,
  kPrequal,
  kHash,
};
enum class HashType : uint8_t { kConsistent, kRing, kMaglev, kModulo };

// As std::optional<T>, but no larger than T, for records of which there are a million. Never holds the greatest value
// of T, or of an enum's numbers.
template <typename T>
class SmallOptional {
 public:
  constexpr SmallOptional() = default;
  constexpr SmallOptional(T value) : value_(value) {}
  constexpr SmallOptional(std::optional<T> value) : value_(value.value_or(kNone)) {}
  constexpr explicit operator bool() const { return value_ != kNone; }
  constexpr bool has_value() const { return value_ != kNone; }
  constexpr T operator*() const { return value_; }
  constexpr T value_or(T other) const { return value_ != kNone ? value_ : other; }
  friend constexpr auto operator<=>(const SmallOptional&, const SmallOptional&) = default;

 private:
  static constexpr T greatest() {
    if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(std::numeric_limits<std::underlying_type_t<T>>::max());
    } else {
      return std::numeric_limits<T>::max();
    }
  }
  static constexpr T kNone = greatest();
  T value_ = kNone;
};

// Members stand so that there are no gaps.
struct Server : base::RefCounted {
  Slot slot = 0;
  std::string name;
  Metadata metadata;
  Endpoint address;
  Labels labels;
  // Unset: the backend's default holds. 0: no limit.
  SmallOptional<uint32_t> max_connections;
  // Unset: the backend's default holds.
  SmallOptional<uint16_t> weight;
  // Unset: READY.
  SmallOptional<AdminState> admin_state;
  // Of those that are no backups: 0 to kPriorityMax, the lower the more preferred.
  uint8_t priority : 7 = 0;
  bool backup : 1 = false;
  // Null: it has none.
  base::Ref<const ServerExtras> extras;

  static void* operator new(size_t) { return base::slab_allocate<Server>(); }
  static void operator delete(void* server) { base::slab_release<Server>(server); }

  bool takes_requests() const { return admin_state.value_or(AdminState::kReady) == AdminState::kReady; }
  // DNS names it: it is no configuration.
  bool is_discovered() const { return metadata.uid >= kDiscoveredUids; }
  // Follows another server's health.
  bool tracks() const { return extras && !extras->track.empty(); }
};
static_assert(sizeof(Server) <= 152, "there may be millions");

struct BackendTimeouts {
  std::optional<Duration> connect;
  std::optional<Duration> response;
  std::optional<Duration> idle;
};

struct PeakEwmaSettings {
  std::optional<Duration> decay;

  Duration effective_decay() const { return decay.value_or(std::chrono::seconds(10)); }
  bool operator==(const PeakEwmaSettings&) const = default;
};

struct PrequalSettings {
  std::optional<uint32_t> pool_size;
  std::optional<uint32_t> probes;
  std::optional<uint32_t> hot_percent;
  std::optional<Duration> probe_age;

  uint32_t effective_pool_size() const { return pool_size.value_or(16); }
  uint32_t effective_probes() const { return probes.value_or(3); }
  uint32_t effective_hot_percent() const { return hot_percent.value_or(84); }
  Duration effective_probe_age() const { return probe_age.value_or(std::chrono::seconds(1)); }
  bool operator==(const PrequalSettings&) const = default;
};

struct HashSettings {
  // Empty: unset.
  std::string key_text;
  // As parsed.
  HashKey key;
  std::optional<HashType> type;
  std::optional<uint32_t> table_size;
  std::optional<uint32_t> balance_factor;

  HashType effective_type() const { return type.value_or(HashType::kConsistent); }
  uint32_t effective_table_size() const { return table_size.value_or(65'537); }
  // 0: no bound.
  uint32_t effective_balance_factor() const { return balance_factor.value_or(0); }
  bool operator==(const HashSettings&) const = default;
};

struct DrainPolicy {
  std::optional<Duration> timeout;
  std::optional<Duration> jitter;
};

// Fields that are unset hold their default, which the accessor gives.
struct Backend : base::RefCounted {
  std::string name;
  Slot slot = 0;
  Metadata metadata;
  std::optional<Algorithm> algorithm;
  std::optional<uint32_t> draws;
  PeakEwmaSettings peak_ewma;
  PrequalSettings prequal;
  HashSettings hash;
  std::optional<uint16_t> default_weight;
  std::optional<uint32_t> default_max_connections;
  // The ramp of limits of servers that say nothing else; 0: there is none.
  std::optional<uint32_t> min_connections;
  std::optional<uint32_t> full_connections;
  BackendTimeouts timeouts;
  RetryPolicy retry;
  QueuePolicy queue;
  DrainPolicy drain;
  std::optional<HealthCheck> health_check;
  Failover failover;
  SlowStart slow_start;
  std::optional<Persistence> persistence;
  PoolSettings pool;
  CircuitLimits circuit;
  std::optional<OnMarkedDown> on_marked_down;
  std::optional<OnMarkedUp> on_marked_up;
  std::optional<OutlierDetection> outlier_detection;
  std::optional<Discovery> discovery;
  std::optional<SendProxyProtocol> send_proxy_protocol;
  TcpOptions tcp;
  std::optional<BackendTls> tls;
  // Made from `tls` and the certificate that it names; null where there is no TLS.
  std::shared_ptr<const tls::ClientContext> tls_context;
  Labels labels;

  // Whether a connection to a server is one client's, and of no use to others.
  bool has_connections_of_clients() const { return send_proxy_protocol || pool.transparent; }
  Algorithm effective_algorithm() const { return algorithm.value_or(Algorithm::kRoundRobin); }
  uint32_t effective_draws() const { return draws.value_or(2); }
  uint16_t effective_default_weight() const { return default_weight.value_or(1); }
  // Of one of its servers; 0: no limit.
  uint32_t max_connections_of(const Server& server) const {
    return server.max_connections.value_or(default_max_connections.value_or(0));
  }
  // Limits of some of its servers may grow with its load.
  bool may_ramp() const { return full_connections.value_or(0) > 0; }
  // Those of servers that say nothing else do.
  bool has_ramp() const { return may_ramp() && min_connections.value_or(0) > 0; }
  uint32_t min_connections_of(const Server& server) const {
    std::optional<uint32_t> own = server.extras ? server.extras->min_connections : std::nullopt;
    return own.value_or(min_connections.value_or(0));
  }
  // What a limit of `most`, at least `least`, comes to while the backend has `load` in flight and waiting: HAProxy's
  // minconn and fullconn. Either 0: what it was.
  uint32_t ramped(uint32_t least, uint32_t most, uint64_t load) const {
    if (most == 0 || least == 0 || !may_ramp() || load >= *full_connections) return most;
    uint64_t share = load * most / *full_connections;
    return static_cast<uint32_t>(std::clamp<uint64_t>(share, std::min(least, most), most));
  }
  bool checks(const Server& server) const {
    bool off = server.extras && (server.extras->unchecked || server.tracks());
    return health_check && !off && server.admin_state != AdminState::kMaintenance;
  }
  bool checks_speak_tls() const { return tls && health_check && health_check->tls.value_or(true); }
  Duration connect_timeout() const { return timeouts.connect.value_or(std::chrono::seconds(5)); }
  Duration response_timeout() const { return timeouts.response.value_or(std::chrono::seconds(30)); }
  Duration idle_timeout() const { return timeouts.idle.value_or(std::chrono::seconds(60)); }
  Duration queue_timeout() const { return queue.timeout.value_or(connect_timeout()); }
  OnMarkedDown effective_on_marked_down() const { return on_marked_down.value_or(OnMarkedDown::kKeep); }
  OnMarkedUp effective_on_marked_up() const { return on_marked_up.value_or(OnMarkedUp::kKeep); }
  Duration drain_timeout() const { return drain.timeout.value_or(std::chrono::seconds(30)); }
  Duration drain_jitter() const { return drain.jitter.value_or(Duration::zero()); }
};

struct Route {
  std::vector<std::string> hosts;
  std::string path_prefix;
  // Empty where the route answers by itself.
  std::string backend;
  // Below kPriorities.
  std::optional<uint8_t> priority = {};
  RateLimit rate_limit = {};
  // Null: none.
  base::Ref<const RouteActions> actions = {};

  uint8_t effective_priority() const { return priority.value_or(kPriorityDefault); }
};

struct ListenerTimeouts {
  std::optional<Duration> request_head;
  std::optional<Duration> keep_alive;
  std::optional<Duration> idle;
  std::optional<Duration> proxy_header = {};
};

struct Listener : base::RefCounted {
  std::string name;
  Slot slot = 0;
  Metadata metadata;
  // As configured; port 0 stays 0 here.
  std::vector<Endpoint> bind;
  // As bound, in the same order.
  std::vector<Endpoint> bound;
  Protocol protocol = Protocol::kHttp;
  // Empty: none.
  std::string default_backend;
  std::vector<Route> routes;
  // Made from `routes` and `default_backend`, with backends as handles.
  RouteTable route_table;
  ListenerTimeouts timeouts;
  std::optional<uint32_t> max_connections;
  std::optional<uint32_t> max_head_bytes;
  std::optional<uint32_t> max_headers;
  std::optional<http::ForwardedPolicy> forwarded;
  HttpPolicy http_policy;
  // Null: none of its own.
  base::Ref<const ErrorPages> error_pages;
  RateLimit rate_limit;
  ClientRateLimit client_rate_limit;
  ProxyProtocol proxy_protocol;
  AccessControl access;
  std::optional<uint32_t> max_connections_per_client;
  MinimumRates minimum_rates;
  ListenerTcp tcp;
  std::optional<ListenerTls> tls;
  // Made from `tls` and the certificates that it names, anew when one of them changes; null where TLS
  // does not end here.
  std::shared_ptr<const tls::ServerContext> tls_context;
  // Made from `tls.pass_through`, with backends as handles.
  TlsRouteTable tls_route_table;
  Labels labels;

  Duration request_head_timeout() const { return timeouts.request_head.value_or(std::chrono::seconds(10)); }
  Duration keep_alive_timeout() const { return timeouts.keep_alive.value_or(std::chrono::seconds(60)); }
  Duration idle_timeout() const { return timeouts.idle.value_or(std::chrono::seconds(60)); }
  Duration proxy_header_timeout() const { return timeouts.proxy_header.value_or(std::chrono::seconds(5)); }
  uint32_t effective_max_head_bytes() const { return max_head_bytes.value_or(16384); }
  uint32_t effective_max_headers() const { return max_headers.value_or(100); }
  http::ForwardedPolicy effective_forwarded() const { return forwarded.value_or(http::ForwardedPolicy::kAppend); }
  // 0: no limit.
  uint32_t effective_max_connections() const { return max_connections.value_or(0); }
  // 0: no limit.
  uint32_t effective_max_connections_per_client() const { return max_connections_per_client.value_or(0); }
};

}  // namespace fairlead::config
