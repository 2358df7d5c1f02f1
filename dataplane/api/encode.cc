#include "api/encode.h"

#include "api/backend_tls.h"
#include "api/discovery.h"
#include "api/edge.h"
#include "api/failover.h"
#include "api/health_check.h"
#include "api/http_policy.h"
#include "api/listener_tls.h"
#include "api/outlier_detection.h"
#include "api/persistence.h"
#include "api/retry_policy.h"
#include "api/route_actions.h"
#include "api/server_extras.h"

namespace fairlead::api {
namespace {

void encode_metadata(const config::Metadata& metadata, v1::Metadata& out) {
  out.set_uid(metadata.uid);
  out.set_version(metadata.version);
  encode(metadata.create_time, *out.mutable_create_time());
  encode(metadata.update_time, *out.mutable_update_time());
}

void encode_labels(const config::Labels& labels, google::protobuf::Map<std::string, std::string>& out) {
  for (const auto& [key, value] : labels) out[key] = value;
}

v1::Algorithm encode_algorithm(config::Algorithm algorithm) {
  switch (algorithm) {
    case config::Algorithm::kRoundRobin:
      return v1::ALGORITHM_ROUND_ROBIN;
    case config::Algorithm::kRandom:
      return v1::ALGORITHM_RANDOM;
    case config::Algorithm::kLeastConnections:
      return v1::ALGORITHM_LEAST_CONNECTIONS;
    case config::Algorithm::kStaticRoundRobin:
      return v1::ALGORITHM_STATIC_ROUND_ROBIN;
    case config::Algorithm::kFirst:
      return v1::ALGORITHM_FIRST;
    case config::Algorithm::kSticky:
      return v1::ALGORITHM_STICKY;
    case config::Algorithm::kPeakEwma:
      return v1::ALGORITHM_PEAK_EWMA;
    case config::Algorithm::kPrequal:
      return v1::ALGORITHM_PREQUAL;
    case config::Algorithm::kHash:
      return v1::ALGORITHM_HASH;
  }
  return v1::ALGORITHM_UNSPECIFIED;
}

v1::HashType encode_hash_type(config::HashType type) {
  switch (type) {
    case config::HashType::kConsistent:
      return v1::HASH_TYPE_CONSISTENT;
    case config::HashType::kRing:
      return v1::HASH_TYPE_RING;
    case config::HashType::kMaglev:
      return v1::HASH_TYPE_MAGLEV;
    case config::HashType::kModulo:
      return v1::HASH_TYPE_MODULO;
  }
  return v1::HASH_TYPE_UNSPECIFIED;
}

void encode_hash(const config::HashSettings& settings, v1::Balance& out) {
  v1::HashPolicy& encoded = *out.mutable_hash();
  encoded.set_key(settings.key_text);
  if (settings.type) encoded.set_type(encode_hash_type(*settings.type));
  if (settings.table_size) encoded.set_table_size(*settings.table_size);
  if (settings.balance_factor) encoded.set_balance_factor(*settings.balance_factor);
}

void encode_balance(const config::Backend& record, v1::Backend& out) {
  if (record.algorithm) out.mutable_balance()->set_algorithm(encode_algorithm(*record.algorithm));
  if (record.draws) out.mutable_balance()->set_draws(*record.draws);
  if (record.peak_ewma.decay) {
    encode(*record.peak_ewma.decay, *out.mutable_balance()->mutable_peak_ewma()->mutable_decay());
  }
  if (record.hash != config::HashSettings()) encode_hash(record.hash, *out.mutable_balance());
  const config::PrequalSettings& prequal = record.prequal;
  if (prequal == config::PrequalSettings()) return;
  v1::Prequal& encoded = *out.mutable_balance()->mutable_prequal();
  if (prequal.pool_size) encoded.set_pool_size(*prequal.pool_size);
  if (prequal.probes) encoded.set_probes(*prequal.probes);
  if (prequal.hot_percent) encoded.set_hot_percent(*prequal.hot_percent);
  if (prequal.probe_age) encode(*prequal.probe_age, *encoded.mutable_probe_age());
}

v1::ForwardedPolicy encode_forwarded(http::ForwardedPolicy policy) {
  switch (policy) {
    case http::ForwardedPolicy::kAppend:
      return v1::FORWARDED_POLICY_APPEND;
    case http::ForwardedPolicy::kReplace:
      return v1::FORWARDED_POLICY_REPLACE;
    case http::ForwardedPolicy::kKeep:
      return v1::FORWARDED_POLICY_KEEP;
    case http::ForwardedPolicy::kRemove:
      return v1::FORWARDED_POLICY_REMOVE;
  }
  return v1::FORWARDED_POLICY_UNSPECIFIED;
}

void encode_http(const config::Listener& record, v1::Listener& out) {
  if (record.max_head_bytes) out.mutable_http()->set_max_head_bytes(*record.max_head_bytes);
  if (record.max_headers) out.mutable_http()->set_max_headers(*record.max_headers);
  if (record.forwarded) out.mutable_http()->set_forwarded(encode_forwarded(*record.forwarded));
}

void encode_rate_limit(const config::RateLimit& limit, v1::RateLimit& out) {
  if (limit.requests) out.set_requests(*limit.requests);
  if (limit.per) encode(*limit.per, *out.mutable_per());
  if (limit.burst) out.set_burst(*limit.burst);
}

v1::PoolReuse encode_reuse(config::PoolReuse reuse) {
  switch (reuse) {
    case config::PoolReuse::kNever:
      return v1::POOL_REUSE_NEVER;
    case config::PoolReuse::kSafe:
      return v1::POOL_REUSE_SAFE;
    case config::PoolReuse::kAlways:
      return v1::POOL_REUSE_ALWAYS;
  }
  return v1::POOL_REUSE_UNSPECIFIED;
}

void encode_pool(const config::PoolSettings& pool, v1::ConnectionPool& out) {
  if (pool.idle_timeout) encode(*pool.idle_timeout, *out.mutable_idle_timeout());
  if (pool.max_idle) out.set_max_idle(*pool.max_idle);
  if (pool.reuse) out.set_reuse(encode_reuse(*pool.reuse));
  if (pool.max_requests) out.set_max_requests(*pool.max_requests);
  if (pool.source_address) out.set_source_address(config::ip_text(*pool.source_address));
  if (pool.purge_delay) encode(*pool.purge_delay, *out.mutable_purge_delay());
  if (pool.min_idle) out.set_min_idle(*pool.min_idle);
  if (pool.warm) out.set_warm(*pool.warm);
  out.set_transparent(pool.transparent);
}

}  // namespace

v1::AdminState encode(config::AdminState state) {
  switch (state) {
    case config::AdminState::kReady:
      return v1::ADMIN_STATE_READY;
    case config::AdminState::kDrain:
      return v1::ADMIN_STATE_DRAIN;
    case config::AdminState::kMaintenance:
      return v1::ADMIN_STATE_MAINTENANCE;
  }
  return v1::ADMIN_STATE_UNSPECIFIED;
}

void encode(const config::Server& record, const std::string& backend, v1::Server& out) {
  out.set_backend(backend);
  out.set_name(record.name);
  out.set_address(record.address.to_string());
  if (record.weight) out.set_weight(*record.weight);
  if (record.max_connections) out.set_max_connections(*record.max_connections);
  if (record.admin_state) out.set_admin_state(encode(*record.admin_state));
  if (record.extras) encode(*record.extras, out);
  out.set_priority(record.priority);
  out.set_backup(record.backup);
  encode_labels(record.labels, *out.mutable_labels());
  encode_metadata(record.metadata, *out.mutable_metadata());
}

void encode(const config::Backend& record, v1::Backend& out) {
  out.set_name(record.name);
  encode_balance(record, out);
  if (record.default_weight) out.mutable_server_defaults()->set_weight(*record.default_weight);
  if (record.default_max_connections) {
    out.mutable_server_defaults()->set_max_connections(*record.default_max_connections);
  }
  if (record.min_connections) out.mutable_server_defaults()->set_min_connections(*record.min_connections);
  if (record.full_connections) out.mutable_server_defaults()->set_full_connections(*record.full_connections);
  const config::BackendTimeouts& timeouts = record.timeouts;
  if (timeouts.connect) encode(*timeouts.connect, *out.mutable_timeouts()->mutable_connect());
  if (timeouts.response) encode(*timeouts.response, *out.mutable_timeouts()->mutable_response());
  if (timeouts.idle) encode(*timeouts.idle, *out.mutable_timeouts()->mutable_idle());
  if (record.retry != config::RetryPolicy()) encode(record.retry, *out.mutable_retry());
  if (record.queue.max_waiting) out.mutable_queue()->set_max_waiting(*record.queue.max_waiting);
  if (record.queue.max_waiting_per_server) {
    out.mutable_queue()->set_max_waiting_per_server(*record.queue.max_waiting_per_server);
  }
  if (record.queue.timeout) encode(*record.queue.timeout, *out.mutable_queue()->mutable_timeout());
  if (record.drain.timeout) encode(*record.drain.timeout, *out.mutable_drain()->mutable_timeout());
  if (record.drain.jitter) encode(*record.drain.jitter, *out.mutable_drain()->mutable_jitter());
  if (record.health_check) encode(*record.health_check, *out.mutable_health_check());
  if (record.failover != config::Failover()) encode(record.failover, *out.mutable_failover());
  if (record.slow_start != config::SlowStart()) encode(record.slow_start, *out.mutable_slow_start());
  if (record.persistence) encode(*record.persistence, *out.mutable_persistence());
  if (record.pool != config::PoolSettings()) encode_pool(record.pool, *out.mutable_connection_pool());
  if (record.circuit.max_requests) out.mutable_circuit()->set_max_requests(*record.circuit.max_requests);
  if (record.circuit.max_retries) out.mutable_circuit()->set_max_retries(*record.circuit.max_retries);
  if (record.circuit.max_connections) out.mutable_circuit()->set_max_connections(*record.circuit.max_connections);
  if (record.outlier_detection) encode(*record.outlier_detection, *out.mutable_outlier_detection());
  if (record.discovery) encode(*record.discovery, *out.mutable_discovery());
  if (record.tls) encode(*record.tls, *out.mutable_tls());
  if (record.on_marked_down) out.set_on_marked_down(encode(*record.on_marked_down));
  if (record.on_marked_up) out.set_on_marked_up(encode(*record.on_marked_up));
  encode_edge(record, out);
  encode_labels(record.labels, *out.mutable_labels());
  encode_metadata(record.metadata, *out.mutable_metadata());
}

void encode(const config::Listener& record, v1::Listener& out) {
  out.set_name(record.name);
  for (const config::Endpoint& endpoint : record.bind) out.add_bind(endpoint.to_string());
  out.set_protocol(record.protocol == config::Protocol::kTcp ? v1::PROTOCOL_TCP : v1::PROTOCOL_HTTP);
  out.set_default_backend(record.default_backend);
  for (const config::Route& route : record.routes) {
    v1::Route& encoded = *out.add_routes();
    encoded.mutable_hosts()->Add(route.hosts.begin(), route.hosts.end());
    encoded.set_path_prefix(route.path_prefix);
    encoded.set_backend(route.backend);
    if (route.priority) encoded.set_priority(*route.priority);
    if (route.rate_limit != config::RateLimit()) encode_rate_limit(route.rate_limit, *encoded.mutable_rate_limit());
    if (route.actions) encode(*route.actions, encoded);
  }
  const config::ListenerTimeouts& timeouts = record.timeouts;
  if (timeouts.request_head) encode(*timeouts.request_head, *out.mutable_timeouts()->mutable_request_head());
  if (timeouts.keep_alive) encode(*timeouts.keep_alive, *out.mutable_timeouts()->mutable_keep_alive());
  if (timeouts.idle) encode(*timeouts.idle, *out.mutable_timeouts()->mutable_idle());
  if (record.max_connections) out.set_max_connections(*record.max_connections);
  encode_http(record, out);
  encode(record.http_policy, out);
  if (record.error_pages) encode(*record.error_pages, out);
  if (record.rate_limit != config::RateLimit()) encode_rate_limit(record.rate_limit, *out.mutable_rate_limit());
  const config::ClientRateLimit& of_clients = record.client_rate_limit;
  if (of_clients.limit != config::RateLimit()) {
    encode_rate_limit(of_clients.limit, *out.mutable_client_rate_limit()->mutable_limit());
  }
  if (of_clients.max_addresses) out.mutable_client_rate_limit()->set_max_addresses(*of_clients.max_addresses);
  encode_edge(record, out);
  if (record.tls) encode(*record.tls, *out.mutable_tls());
  encode_labels(record.labels, *out.mutable_labels());
  encode_metadata(record.metadata, *out.mutable_metadata());
  for (const config::Endpoint& endpoint : record.bound) out.mutable_status()->add_bound(endpoint.to_string());
}

void encode(const config::Certificate& record, v1::Certificate& out) {
  out.set_name(record.name);
  out.set_chain(record.chain);
  out.set_ocsp_response(record.ocsp_response);
  encode_labels(record.labels, *out.mutable_labels());
  encode_metadata(record.metadata, *out.mutable_metadata());
  v1::CertificateStatus& status = *out.mutable_status();
  status.set_subject(record.facts.subject);
  status.set_issuer(record.facts.issuer);
  for (const std::string& name : record.facts.names) status.add_names(name);
  encode(record.facts.not_before, *status.mutable_not_before());
  encode(record.facts.not_after, *status.mutable_not_after());
  status.set_fingerprint(record.facts.fingerprint);
  status.set_key_type(record.facts.key_type);
}

void encode(config::Duration duration, google::protobuf::Duration& out) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  out.set_seconds(seconds.count());
  out.set_nanos(static_cast<int32_t>((duration - seconds).count()));
}

void encode(config::WallTime time, google::protobuf::Timestamp& out) {
  auto since_epoch = std::chrono::duration_cast<config::Duration>(time.time_since_epoch());
  auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  out.set_seconds(seconds.count());
  out.set_nanos(static_cast<int32_t>((since_epoch - seconds).count()));
}

}  // namespace fairlead::api
