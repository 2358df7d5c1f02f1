#include "api/decode.h"

#include <algorithm>

#include "api/backend_tls.h"
#include "api/discovery.h"
#include "api/edge.h"
#include "api/failover.h"
#include "api/field_checker.h"
#include "api/health_check.h"
#include "api/http_policy.h"
#include "api/listener_tls.h"
#include "api/outlier_detection.h"
#include "api/persistence.h"
#include "api/retry_policy.h"
#include "api/route_actions.h"
#include "api/server_extras.h"
#include "config/compile_routes.h"
#include "config/text.h"
#include "http/normalize_path.h"
#include "http/text.h"

namespace fairlead::api {
namespace {

using config::concat;

constexpr DurationRange kTimeout{config::kTimeoutMin, config::kTimeoutMax};
constexpr DurationRange kDrainTimeout{config::Duration::zero(), config::kTimeoutMax};
constexpr DurationRange kPoolIdle{config::Duration::zero(), std::chrono::hours(1)};
constexpr config::Duration kPurgeDelayMin = std::chrono::milliseconds(100);
constexpr DurationRange kEwmaDecay{std::chrono::milliseconds(10), std::chrono::hours(1)};
constexpr DurationRange kProbeAge{std::chrono::milliseconds(1), std::chrono::minutes(1)};
// What a full bucket holds is then less than 200 years, and no sum of times overflows.
constexpr DurationRange kRatePeriod{std::chrono::milliseconds(1), std::chrono::hours(1)};
constexpr config::Range kMaxConnections{0, config::kMaxConnectionsMax};
constexpr config::Range kWeight{0, config::kWeightMax};

std::optional<uint16_t> weight(FieldChecker& checker, std::string_view field, bool set, uint32_t value) {
  std::optional<uint32_t> number = checker.number(field, set, value, kWeight);
  if (!number) return std::nullopt;
  return static_cast<uint16_t>(*number);
}

std::optional<config::AdminState> admin_state(FieldChecker& checker, const v1::Server& server) {
  if (!server.has_admin_state()) return std::nullopt;
  switch (server.admin_state()) {
    case v1::ADMIN_STATE_READY:
      return config::AdminState::kReady;
    case v1::ADMIN_STATE_DRAIN:
      return config::AdminState::kDrain;
    case v1::ADMIN_STATE_MAINTENANCE:
      return config::AdminState::kMaintenance;
    default:
      checker.unknown_enum("admin_state", server.admin_state(), "READY, DRAIN, MAINTENANCE");
      return std::nullopt;
  }
}

std::optional<config::Algorithm> algorithm(FieldChecker& checker, v1::Algorithm value) {
  switch (value) {
    case v1::ALGORITHM_UNSPECIFIED:
      return std::nullopt;
    case v1::ALGORITHM_ROUND_ROBIN:
      return config::Algorithm::kRoundRobin;
    case v1::ALGORITHM_RANDOM:
      return config::Algorithm::kRandom;
    case v1::ALGORITHM_STATIC_ROUND_ROBIN:
      return config::Algorithm::kStaticRoundRobin;
    case v1::ALGORITHM_FIRST:
      return config::Algorithm::kFirst;
    case v1::ALGORITHM_STICKY:
      return config::Algorithm::kSticky;
    case v1::ALGORITHM_LEAST_CONNECTIONS:
      return config::Algorithm::kLeastConnections;
    case v1::ALGORITHM_PEAK_EWMA:
      return config::Algorithm::kPeakEwma;
    case v1::ALGORITHM_PREQUAL:
      return config::Algorithm::kPrequal;
    case v1::ALGORITHM_HASH:
      return config::Algorithm::kHash;
    default:
      checker.unknown_enum(
          "balance.algorithm", value,
          "ROUND_ROBIN, RANDOM, LEAST_CONNECTIONS, STATIC_ROUND_ROBIN, FIRST, STICKY, PEAK_EWMA, PREQUAL, HASH");
      return std::nullopt;
  }
}

std::optional<config::HashType> hash_type(FieldChecker& checker, v1::HashType value) {
  switch (value) {
    case v1::HASH_TYPE_UNSPECIFIED:
      return std::nullopt;
    case v1::HASH_TYPE_CONSISTENT:
      return config::HashType::kConsistent;
    case v1::HASH_TYPE_RING:
      return config::HashType::kRing;
    case v1::HASH_TYPE_MAGLEV:
      return config::HashType::kMaglev;
    case v1::HASH_TYPE_MODULO:
      return config::HashType::kModulo;
    default:
      checker.unknown_enum("balance.hash.type", value, "CONSISTENT, RING, MAGLEV, MODULO");
      return std::nullopt;
  }
}

std::optional<uint32_t> balance_factor(FieldChecker& checker, const v1::HashPolicy& hash) {
  constexpr std::string_view kField = "balance.hash.balance_factor";
  if (!hash.has_balance_factor() || hash.balance_factor() == 0) {
    return checker.number(kField, hash.has_balance_factor(), hash.balance_factor(), {0, 0});
  }
  config::Problem problem = config::check_range(hash.balance_factor(), {101, config::kBalanceFactorMax});
  if (problem) checker.fail(kField, *problem + ", and is not 0, which is no bound");
  return hash.balance_factor();
}

config::HashSettings decode_hash(FieldChecker& checker, const v1::HashPolicy& hash, bool is_needed) {
  config::HashSettings settings;
  settings.type = hash_type(checker, hash.type());
  settings.table_size = checker.number("balance.hash.table_size", hash.has_table_size(), hash.table_size(),
                                       {config::kTableSizeMin, config::kTableSizeMax});
  if (settings.table_size) checker.check("balance.hash.table_size", config::check_prime(*settings.table_size));
  settings.balance_factor = balance_factor(checker, hash);
  if (hash.key().empty() && !is_needed) return settings;
  std::expected<config::HashKey, std::string> key = config::parse_hash_key(hash.key());
  if (!key) {
    checker.fail("balance.hash.key", std::move(key.error()));
    return settings;
  }
  settings.key_text = hash.key();
  settings.key = *std::move(key);
  return settings;
}

void decode_balance(FieldChecker& checker, const v1::Balance& balance, config::Backend& record) {
  record.algorithm = algorithm(checker, balance.algorithm());
  record.draws = checker.number("balance.draws", balance.has_draws(), balance.draws(), {1, 16});
  const v1::PeakEwma& ewma = balance.peak_ewma();
  record.peak_ewma.decay = checker.duration("balance.peak_ewma.decay", ewma.has_decay(), ewma.decay(), kEwmaDecay);
  const v1::Prequal& prequal = balance.prequal();
  record.prequal = {
      .pool_size = checker.number("balance.prequal.pool_size", prequal.has_pool_size(), prequal.pool_size(), {2, 64}),
      .probes = checker.number("balance.prequal.probes", prequal.has_probes(), prequal.probes(), {1, 16}),
      .hot_percent =
          checker.number("balance.prequal.hot_percent", prequal.has_hot_percent(), prequal.hot_percent(), {0, 100}),
      .probe_age =
          checker.duration("balance.prequal.probe_age", prequal.has_probe_age(), prequal.probe_age(), kProbeAge)};
  record.hash = decode_hash(checker, balance.hash(), record.algorithm == config::Algorithm::kHash);
}

config::QueuePolicy decode_queue(FieldChecker& checker, const v1::Queue& queue) {
  return {
      .max_waiting = checker.number("queue.max_waiting", queue.has_max_waiting(), queue.max_waiting(), kMaxConnections),
      .max_waiting_per_server = checker.number("queue.max_waiting_per_server", queue.has_max_waiting_per_server(),
                                               queue.max_waiting_per_server(), kMaxConnections),
      .timeout = checker.duration("queue.timeout", queue.has_timeout(), queue.timeout(), kTimeout)};
}

std::optional<config::PoolReuse> pool_reuse(FieldChecker& checker, v1::PoolReuse value) {
  switch (value) {
    case v1::POOL_REUSE_UNSPECIFIED:
      return std::nullopt;
    case v1::POOL_REUSE_NEVER:
      return config::PoolReuse::kNever;
    case v1::POOL_REUSE_SAFE:
      return config::PoolReuse::kSafe;
    case v1::POOL_REUSE_ALWAYS:
      return config::PoolReuse::kAlways;
    default:
      checker.unknown_enum("connection_pool.reuse", value, "NEVER, SAFE, ALWAYS");
      return std::nullopt;
  }
}

config::PoolSettings decode_pool(FieldChecker& checker, const v1::ConnectionPool& pool) {
  config::PoolSettings settings{
      .idle_timeout =
          checker.duration("connection_pool.idle_timeout", pool.has_idle_timeout(), pool.idle_timeout(), kPoolIdle),
      .max_idle = checker.number("connection_pool.max_idle", pool.has_max_idle(), pool.max_idle(), {0, 100'000}),
      .reuse = pool_reuse(checker, pool.reuse()),
      .max_requests = checker.number("connection_pool.max_requests", pool.has_max_requests(), pool.max_requests(),
                                     {0, config::kPoolRequestsMax}),
      .source_address = {},
      .purge_delay =
          checker.duration("connection_pool.purge_delay", pool.has_purge_delay(), pool.purge_delay(), kPoolIdle),
      .min_idle = checker.number("connection_pool.min_idle", pool.has_min_idle(), pool.min_idle(), {0, 100'000}),
      .warm = checker.number("connection_pool.warm", pool.has_warm(), pool.warm(), {0, 1000}),
      .transparent = pool.transparent()};
  const std::optional<config::Duration>& delay = settings.purge_delay;
  if (delay && *delay > config::Duration::zero() && *delay < kPurgeDelayMin) {
    checker.fail("connection_pool.purge_delay", "is above 0 and below 100ms");
  }
  if (pool.source_address().empty()) return settings;
  absl::StatusOr<config::Endpoint> source = config::parse_ip(pool.source_address());
  if (!source.ok()) {
    checker.fail("connection_pool.source_address", std::string(source.status().message()));
    return settings;
  }
  settings.source_address = *std::move(source);
  return settings;
}

config::DrainPolicy drain_policy(FieldChecker& checker, const v1::Drain& drain, config::Duration default_timeout) {
  config::DrainPolicy policy;
  policy.timeout = checker.duration("drain.timeout", drain.has_timeout(), drain.timeout(), kDrainTimeout);
  DurationRange jitter{config::Duration::zero(), policy.timeout.value_or(default_timeout)};
  policy.jitter = checker.duration("drain.jitter", drain.has_jitter(), drain.jitter(), jitter);
  return policy;
}

std::optional<http::ForwardedPolicy> forwarded(FieldChecker& checker, v1::ForwardedPolicy value) {
  switch (value) {
    case v1::FORWARDED_POLICY_UNSPECIFIED:
      return std::nullopt;
    case v1::FORWARDED_POLICY_APPEND:
      return http::ForwardedPolicy::kAppend;
    case v1::FORWARDED_POLICY_REPLACE:
      return http::ForwardedPolicy::kReplace;
    case v1::FORWARDED_POLICY_KEEP:
      return http::ForwardedPolicy::kKeep;
    case v1::FORWARDED_POLICY_REMOVE:
      return http::ForwardedPolicy::kRemove;
    default:
      checker.unknown_enum("http.forwarded", value, "APPEND, REPLACE, KEEP, REMOVE");
      return std::nullopt;
  }
}

config::Protocol protocol(FieldChecker& checker, v1::Protocol value) {
  if (value == v1::PROTOCOL_TCP) return config::Protocol::kTcp;
  if (value != v1::PROTOCOL_HTTP) checker.unknown_enum("protocol", value, "TCP, HTTP");
  return config::Protocol::kHttp;
}

std::vector<config::Endpoint> bind_addresses(FieldChecker& checker, const v1::Listener& listener) {
  std::vector<config::Endpoint> result;
  size_t count = listener.bind_size();
  if (count < 1 || count > config::kBindMax) {
    checker.fail("bind", concat("has ", count, " addresses; a listener has 1 to ", config::kBindMax));
    return result;
  }
  for (size_t i = 0; i < count; ++i) {
    std::string field = concat("bind[", i, "]");
    std::optional<config::Endpoint> endpoint = checker.endpoint(field, listener.bind(static_cast<int>(i)));
    if (!endpoint) return result;
    auto same = std::find(result.begin(), result.end(), *endpoint);
    // Port 0 twice is two different ports.
    if (same != result.end() && (endpoint->is_unix() || endpoint->port() != 0)) {
      checker.fail(field,
                   concat(config::quoted(endpoint->to_string()), " duplicates bind[", same - result.begin(), "]"));
    }
    result.push_back(*std::move(endpoint));
  }
  return result;
}

config::RateLimit decode_rate_limit(FieldChecker& checker, const v1::RateLimit& limit, const std::string& field) {
  return {.requests = checker.number(field + ".requests", limit.has_requests(), limit.requests(), kMaxConnections),
          .per = checker.duration(field + ".per", limit.has_per(), limit.per(), kRatePeriod),
          .burst = checker.number(field + ".burst", limit.has_burst(), limit.burst(), {1, config::kMaxConnectionsMax})};
}

config::Route decode_route(FieldChecker& checker, const v1::Route& route, const std::string& field) {
  config::Route result{{route.hosts().begin(), route.hosts().end()}, route.path_prefix(), route.backend()};
  if (result.hosts.size() > config::kRouteHostsMax) {
    checker.fail(field + ".hosts", concat("has ", result.hosts.size(), " hosts, at most ", config::kRouteHostsMax));
  }
  for (size_t i = 0; i < result.hosts.size() && checker.ok(); ++i) {
    checker.check(concat(field, ".hosts[", i, "]"), config::check_host(result.hosts[i]));
  }
  checker.check(field + ".path_prefix", config::check_path_prefix(route.path_prefix()));
  result.actions = decode_route_actions(checker, route, field);
  if (!result.actions || !result.actions->answers_itself())
    checker.check(field + ".backend", config::check_name(route.backend()));
  std::optional<uint32_t> priority =
      checker.number(field + ".priority", route.has_priority(), route.priority(), {0, config::kPriorities - 1});
  if (priority) result.priority = static_cast<uint8_t>(*priority);
  result.rate_limit = decode_rate_limit(checker, route.rate_limit(), field + ".rate_limit");
  return result;
}

void decode_routes(FieldChecker& checker, const v1::Listener& listener, config::Listener& record) {
  if (static_cast<size_t>(listener.routes_size()) > config::kRoutesMax) {
    checker.fail("routes",
                 concat("has ", listener.routes_size(), " routes, at most ", config::kRoutesMax, " are allowed"));
    return;
  }
  for (int i = 0; i < listener.routes_size() && checker.ok(); ++i) {
    record.routes.push_back(decode_route(checker, listener.routes(i), concat("routes[", i, "]")));
  }
  std::optional<config::RouteConflict> conflict = config::find_route_conflict(record.routes);
  if (!conflict) return;
  checker.fail(concat("routes[", conflict->second, "]"),
               concat("matches the same host and path as routes[", conflict->first, "]"));
}

// That header says who a client is: routes neither write it nor take it away.
void check_who_writes_the_subject(FieldChecker& checker, const config::Listener& record) {
  if (!record.tls || !record.tls->client_certificates || record.tls->client_certificates->subject_header.empty())
    return;
  const std::string& subject = record.tls->client_certificates->subject_header;
  auto is_it = [&](const std::string& name) { return http::equals_ignoring_case(name, subject); };
  auto is_its = [&](const config::HeaderField& field) { return is_it(field.name); };
  for (size_t i = 0; i < record.routes.size(); ++i) {
    if (!record.routes[i].actions) continue;
    const config::HeaderActions& actions = record.routes[i].actions->request_headers;
    if (std::ranges::none_of(actions.remove, is_it) && std::ranges::none_of(actions.set, is_its) &&
        std::ranges::none_of(actions.add, is_its)) {
      continue;
    }
    checker.fail(concat("routes[", i, "].request_headers"),
                 concat("names ", config::quoted(subject), ", which is tls.client_certificates.subject_header"));
  }
}

// A prefix in a spelling that no request's path has, once it is routed, would never match; a route that refuses would
// then let everybody in.
void check_spelling_of_routes(FieldChecker& checker, const config::Listener& record) {
  std::string memory;
  for (size_t i = 0; i < record.routes.size(); ++i) {
    std::string_view prefix = record.routes[i].path_prefix;
    while (prefix.ends_with('/')) prefix.remove_suffix(1);
    if (prefix.empty()) continue;
    const http::NormalizedPath met = http::normalize_path(prefix, record.http_policy.path, memory);
    if (met.refusal.empty() && met.path == prefix) continue;
    const std::string field = concat("routes[", i, "].path_prefix");
    if (met.refusal.empty()) {
      checker.fail(field,
                   concat(config::quoted(prefix), " is in no request: by http.path it is ", config::quoted(met.path)));
    } else {
      checker.fail(field, concat(config::quoted(prefix), " is in no request: http.path refuses it: ", met.refusal));
    }
  }
}

void check_protocol_fields(FieldChecker& checker, const v1::Listener& listener) {
  if (!listener.default_backend().empty()) {
    checker.check("default_backend", config::check_name(listener.default_backend()));
  }
  if (listener.protocol() != v1::PROTOCOL_TCP) return;
  if (listener.default_backend().empty()) checker.fail("default_backend", "is not set; a TCP listener needs one");
  if (listener.routes_size() > 0) checker.fail("routes", "are for HTTP listeners; this one is TCP");
  if (listener.has_http()) checker.fail("http", "is for HTTP listeners; this one is TCP");
  if (!listener.error_pages().empty()) checker.fail("error_pages", "are for HTTP listeners; this one is TCP");
}

}  // namespace

Decoded<ServerDraft> decode_server(const v1::Server& server) {
  FieldChecker checker;
  auto record = base::make_ref<config::Server>();
  checker.check("backend", config::check_name(server.backend()));
  checker.check("name", config::check_name(server.name()));
  record->name = server.name();
  if (std::optional<config::Endpoint> address = checker.server_address("address", server.address())) {
    checker.check("address", config::check_destination(*address));
    record->address = *std::move(address);
  }
  record->weight = weight(checker, "weight", server.has_weight(), server.weight());
  record->max_connections =
      checker.number("max_connections", server.has_max_connections(), server.max_connections(), kMaxConnections);
  record->admin_state = admin_state(checker, server);
  record->extras = decode_extras(checker, server);
  decode_rank(checker, server, *record);
  record->labels = checker.labels("labels", server.labels());
  if (!checker.ok()) return std::unexpected(checker.take_failure(server_title(server.backend(), server.name())));
  return ServerDraft{server.backend(), std::move(record)};
}

Decoded<base::Ref<config::Backend>> decode_backend(const v1::Backend& backend) {
  FieldChecker checker;
  auto record = base::make_ref<config::Backend>();
  checker.check("name", config::check_name(backend.name()));
  record->name = backend.name();
  decode_balance(checker, backend.balance(), *record);
  const v1::ServerDefaults& defaults = backend.server_defaults();
  record->default_weight = weight(checker, "server_defaults.weight", defaults.has_weight(), defaults.weight());
  record->default_max_connections = checker.number("server_defaults.max_connections", defaults.has_max_connections(),
                                                   defaults.max_connections(), kMaxConnections);
  record->min_connections = checker.number("server_defaults.min_connections", defaults.has_min_connections(),
                                           defaults.min_connections(), kMaxConnections);
  record->full_connections = checker.number("server_defaults.full_connections", defaults.has_full_connections(),
                                            defaults.full_connections(), kMaxConnections);
  const v1::BackendTimeouts& timeouts = backend.timeouts();
  record->timeouts.connect = checker.duration("timeouts.connect", timeouts.has_connect(), timeouts.connect(), kTimeout);
  record->timeouts.response =
      checker.duration("timeouts.response", timeouts.has_response(), timeouts.response(), kTimeout);
  record->timeouts.idle = checker.duration("timeouts.idle", timeouts.has_idle(), timeouts.idle(), kTimeout);
  record->retry = decode_retry(checker, backend.retry());
  record->queue = decode_queue(checker, backend.queue());
  record->drain = drain_policy(checker, backend.drain(), config::Backend().drain_timeout());
  record->health_check = decode_health_check(checker, backend);
  record->failover = decode_failover(checker, backend.failover());
  record->slow_start = decode_slow_start(checker, backend);
  record->persistence = decode_persistence(checker, backend.persistence());
  record->pool = decode_pool(checker, backend.connection_pool());
  const v1::CircuitLimits& circuit = backend.circuit();
  record->circuit = {.max_requests = checker.number("circuit.max_requests", circuit.has_max_requests(),
                                                    circuit.max_requests(), kMaxConnections),
                     .max_retries = checker.number("circuit.max_retries", circuit.has_max_retries(),
                                                   circuit.max_retries(), kMaxConnections),
                     .max_connections = checker.number("circuit.max_connections", circuit.has_max_connections(),
                                                       circuit.max_connections(), kMaxConnections)};
  record->outlier_detection = decode_outlier_detection(checker, backend);
  record->discovery = decode_discovery(checker, backend.discovery());
  record->on_marked_down = decode_on_marked_down(checker, backend.on_marked_down());
  record->on_marked_up = decode_on_marked_up(checker, backend.on_marked_up());
  decode_edge(checker, backend, *record);
  record->tls = decode_tls(checker, backend);
  record->labels = checker.labels("labels", backend.labels());
  if (!checker.ok()) return std::unexpected(checker.take_failure(backend_title(backend.name())));
  return record;
}

Decoded<base::Ref<config::Listener>> decode_listener(const v1::Listener& listener) {
  FieldChecker checker;
  auto record = base::make_ref<config::Listener>();
  checker.check("name", config::check_name(listener.name()));
  record->name = listener.name();
  record->bind = bind_addresses(checker, listener);
  record->protocol = protocol(checker, listener.protocol());
  check_protocol_fields(checker, listener);
  record->default_backend = listener.default_backend();
  decode_routes(checker, listener, *record);
  const v1::ListenerTimeouts& timeouts = listener.timeouts();
  record->timeouts.request_head =
      checker.duration("timeouts.request_head", timeouts.has_request_head(), timeouts.request_head(), kTimeout);
  record->timeouts.keep_alive =
      checker.duration("timeouts.keep_alive", timeouts.has_keep_alive(), timeouts.keep_alive(), kTimeout);
  record->timeouts.idle = checker.duration("timeouts.idle", timeouts.has_idle(), timeouts.idle(), kTimeout);
  record->max_connections =
      checker.number("max_connections", listener.has_max_connections(), listener.max_connections(), {0, UINT32_MAX});
  const v1::HttpOptions& http = listener.http();
  record->max_head_bytes =
      checker.number("http.max_head_bytes", http.has_max_head_bytes(), http.max_head_bytes(), {1024, 24576});
  record->max_headers = checker.number("http.max_headers", http.has_max_headers(), http.max_headers(), {1, 256});
  record->forwarded = forwarded(checker, http.forwarded());
  record->http_policy = decode_http_policy(checker, http);
  check_spelling_of_routes(checker, *record);
  record->error_pages = decode_error_pages(checker, listener);
  record->rate_limit = decode_rate_limit(checker, listener.rate_limit(), "rate_limit");
  const v1::ClientRateLimit& of_clients = listener.client_rate_limit();
  record->client_rate_limit = {
      .limit = decode_rate_limit(checker, of_clients.limit(), "client_rate_limit.limit"),
      .max_addresses = checker.number("client_rate_limit.max_addresses", of_clients.has_max_addresses(),
                                      of_clients.max_addresses(), {64, 16'777'216})};
  decode_edge(checker, listener, *record);
  record->tls = decode_tls(checker, listener);
  check_who_writes_the_subject(checker, *record);
  record->labels = checker.labels("labels", listener.labels());
  if (!checker.ok()) return std::unexpected(checker.take_failure(listener_title(listener.name())));
  return record;
}

Decoded<config::DrainPolicy> decode_drain(const v1::Drain& drain, const std::string& title) {
  FieldChecker checker;
  config::DrainPolicy policy = drain_policy(checker, drain, config::kTimeoutMax);
  if (!checker.ok()) return std::unexpected(checker.take_failure(title));
  return policy;
}

}  // namespace fairlead::api
