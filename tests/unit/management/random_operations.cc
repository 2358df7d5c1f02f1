#include "random_operations.h"

#include <initializer_list>

#include "absl/strings/str_cat.h"

namespace fairlead::management {

std::string RandomOperations::name(const char* kind, size_t count) {
  return absl::StrCat(prefix_, kind, random_.below(count));
}

v1::Transaction RandomOperations::transaction(uint64_t operations_max) {
  v1::Transaction transaction;
  if (one_in(3)) transaction.set_atomicity(v1::ATOMICITY_EACH);
  if (one_in(10)) transaction.set_atomicity(v1::ATOMICITY_ALL_OR_NOTHING);
  if (one_in(10)) transaction.set_validate_only(true);
  uint64_t operations = random_.between(0, operations_max);
  for (uint64_t i = 0; i < operations; ++i) *transaction.add_operations() = operation();
  return transaction;
}

v1::Operation RandomOperations::operation() {
  v1::Operation operation;
  switch (random_.below(10)) {
    case 0:
    case 1:
      fill(*operation.mutable_delete_());
      break;
    case 2:
    case 3:
      fill(*operation.mutable_patch());
      break;
    case 4:
    case 5:
      fill(*operation.mutable_create());
      break;
    case 6:
      fill(*operation.mutable_replace());
      break;
    default:
      fill(*operation.mutable_upsert());
  }
  return operation;
}

void RandomOperations::fill(v1::Resource& resource) {
  switch (random_.below(8)) {
    case 0:
      return fill(*resource.mutable_listener());
    case 1:
    case 2:
      return fill(*resource.mutable_backend());
    default:
      return fill(*resource.mutable_server());
  }
}

void RandomOperations::fill(v1::Listener& listener) {
  size_t number_of_name = random_.below(3);
  listener.set_name(absl::StrCat(prefix_, "l", number_of_name));
  listener.set_protocol(number_of_name == 2 ? v1::PROTOCOL_TCP : v1::PROTOCOL_HTTP);
  // Two of each world's listeners may want the same port, and servers may have it.
  if (!one_in(40)) listener.add_bind(one_in(3) ? absl::StrCat("unix:/", prefix_, random_.below(2)) : "127.0.0.1:0");
  if (one_in(4)) listener.add_bind("[::1]:0");
  if (listener.protocol() == v1::PROTOCOL_TCP || one_in(2)) listener.set_default_backend(name("b", 4));
  if (one_in(20)) listener.clear_default_backend();
  if (listener.protocol() == v1::PROTOCOL_HTTP || one_in(20)) {
    for (size_t i = random_.below(3); i > 0; --i) {
      v1::Route& route = *listener.add_routes();
      route.set_backend(name("b", 4));
      if (one_in(2)) route.add_hosts(one_in(2) ? "a.example" : "*.b.example");
      route.set_path_prefix(absl::StrCat("/", i));
      if (one_in(4)) route.mutable_rate_limit()->set_requests(number(2) * 100);
      if (one_in(9)) route.mutable_rate_limit();
      if (one_in(4)) route.set_priority(number(one_in(9) ? 9 : 7));
      if (one_in(6)) route.mutable_request_headers()->add_remove("X-A");
      if (one_in(9)) {
        v1::HeaderField& field = *route.mutable_response_headers()->add_set();
        field.set_name("X-B");
        field.set_value("b");
      }
      if (one_in(9)) route.mutable_rewrite()->set_host("b.example");
      if (one_in(9)) route.mutable_rewrite();
    }
  }
  if (one_in(3)) fill(*listener.mutable_timeouts()->mutable_request_head());
  if (one_in(3)) fill(*listener.mutable_timeouts()->mutable_keep_alive());
  if (one_in(3)) fill(*listener.mutable_timeouts()->mutable_idle());
  if (one_in(3)) listener.set_max_connections(number(2));
  if (one_in(4)) listener.mutable_rate_limit()->set_requests(number(2) * 100);
  if (one_in(6)) listener.mutable_rate_limit()->mutable_per()->set_seconds(1 + number(1));
  if (one_in(6)) listener.mutable_rate_limit()->set_burst(1 + number(1));
  if (one_in(6)) listener.mutable_client_rate_limit()->mutable_limit()->set_requests(number(2) * 100);
  if (one_in(9)) listener.mutable_client_rate_limit()->set_max_addresses(64 + number(1));
  if (one_in(9)) listener.mutable_client_rate_limit();
  fill_edge(listener);
  if (listener.protocol() == v1::PROTOCOL_HTTP) {
    if (one_in(4)) listener.mutable_http()->set_max_head_bytes(one_in(2) ? 16384 : 1024);
    if (one_in(4)) listener.mutable_http()->set_max_headers(1 + number(1));
    if (one_in(4)) listener.mutable_http()->set_forwarded(static_cast<v1::ForwardedPolicy>(number(4)));
    if (one_in(6)) listener.mutable_http();
    if (one_in(6)) listener.mutable_http()->mutable_path()->set_escapes(static_cast<v1::PathAction>(number(3)));
    if (one_in(9)) listener.mutable_http()->mutable_path();
    if (one_in(9)) listener.mutable_http()->add_quirks(static_cast<v1::HttpQuirk>(1 + number(2)));
    if (one_in(9)) listener.mutable_http()->set_trusted_hops(number(2));
    if (one_in(9)) listener.mutable_http()->set_max_body_bytes(number(2));
    if (one_in(9)) listener.add_error_pages()->add_statuses(500 + number(9));
  }
  if (one_in(6)) listener.mutable_timeouts();
  fill(*listener.mutable_labels());
}

// Who may connect, and how.
void RandomOperations::fill_edge(v1::Listener& listener) {
  if (one_in(6)) listener.mutable_proxy_protocol()->add_trusted(one_in(6) ? "10.0.0.1/8" : "10.0.0.0/8");
  if (one_in(9)) listener.mutable_proxy_protocol()->set_allow_others(one_in(2));
  if (one_in(9)) listener.mutable_proxy_protocol();
  if (one_in(6)) {
    v1::AccessRule& rule = *listener.mutable_access()->add_rules();
    rule.set_action(static_cast<v1::AccessAction>(1 + number(1)));
    rule.add_networks(one_in(2) ? "127.0.0.0/8" : "::/0");
  }
  if (one_in(9)) listener.mutable_access()->set_otherwise(static_cast<v1::AccessAction>(number(2)));
  if (one_in(6)) listener.set_max_connections_per_client(number(2));
  if (one_in(9)) listener.mutable_minimum_rates()->set_body(number(2));
  if (one_in(9)) listener.mutable_minimum_rates();
  if (one_in(9)) listener.mutable_tcp()->mutable_keep_alive()->set_probes(1 + number(1));
  if (one_in(9)) listener.mutable_tcp()->mutable_keep_alive();
  if (one_in(9)) fill(*listener.mutable_timeouts()->mutable_proxy_header());
}

void RandomOperations::fill(v1::Backend& backend) {
  backend.set_name(name("b", 4));
  if (one_in(3)) backend.mutable_balance()->set_algorithm(static_cast<v1::Algorithm>(number(2)));
  if (one_in(6)) backend.mutable_balance()->set_algorithm(static_cast<v1::Algorithm>(3 + number(5)));
  if (one_in(6)) backend.mutable_balance()->set_draws(number(3));
  if (one_in(6)) backend.mutable_balance()->mutable_peak_ewma()->mutable_decay()->set_seconds(1 + number(1));
  if (one_in(6)) backend.mutable_balance()->mutable_prequal()->set_pool_size(2 + number(1));
  if (one_in(9)) backend.mutable_balance()->mutable_prequal();
  if (one_in(4)) backend.mutable_balance()->mutable_hash()->set_key(one_in(6) ? "{host}" : "{header:A}{source}");
  if (one_in(6)) backend.mutable_balance()->mutable_hash()->set_type(static_cast<v1::HashType>(number(5)));
  if (one_in(9)) backend.mutable_balance()->mutable_hash()->set_table_size(one_in(6) ? 300 : 251);
  if (one_in(9)) backend.mutable_balance()->mutable_hash()->set_balance_factor(one_in(6) ? 100 : 125);
  if (one_in(6)) backend.mutable_balance()->set_algorithm(v1::ALGORITHM_HASH);
  if (one_in(3)) backend.mutable_server_defaults()->set_weight(number(2));
  if (one_in(30)) backend.mutable_server_defaults()->set_weight(257);
  if (one_in(4)) backend.mutable_server_defaults()->set_max_connections(number(2));
  if (one_in(3)) fill(*backend.mutable_timeouts()->mutable_connect());
  if (one_in(3)) fill(*backend.mutable_timeouts()->mutable_response());
  if (one_in(3)) fill(*backend.mutable_timeouts()->mutable_idle());
  if (one_in(3)) backend.mutable_retry()->set_attempts(number(2));
  if (one_in(3)) backend.mutable_drain()->mutable_timeout()->set_seconds(one_in(2) ? 30 : number(2));
  if (one_in(6)) backend.mutable_drain()->mutable_jitter()->set_seconds(number(2));
  if (one_in(3)) backend.mutable_connection_pool()->mutable_idle_timeout()->set_seconds(number(1) * 30);
  if (one_in(3)) backend.mutable_connection_pool()->set_max_idle(number(1) * 256);
  if (one_in(6)) backend.mutable_retry();
  if (one_in(6)) backend.mutable_retry()->add_conditions(static_cast<v1::RetryCondition>(1 + number(5)));
  if (one_in(6)) backend.mutable_retry()->add_statuses(500 + number(3));
  if (one_in(9)) backend.mutable_retry()->set_non_idempotent(number(1) == 1);
  if (one_in(9)) backend.mutable_retry()->mutable_back_off()->mutable_base()->set_seconds(number(2));
  if (one_in(9)) backend.mutable_retry()->set_budget_percent(number(100));
  if (one_in(6)) backend.mutable_persistence()->mutable_cookie()->set_name(one_in(6) ? "a;b" : "SRV");
  if (one_in(9)) backend.mutable_persistence()->mutable_cookie()->set_mode(static_cast<v1::CookieMode>(number(4)));
  if (one_in(9)) backend.mutable_persistence()->mutable_cookie()->set_secret(number(1) == 1 ? "a" : "b");
  if (one_in(6)) backend.mutable_persistence()->mutable_table()->set_key(one_in(6) ? "{x}" : "{source}");
  if (one_in(9)) backend.mutable_persistence();
  if (one_in(6)) backend.mutable_connection_pool()->set_reuse(static_cast<v1::PoolReuse>(number(3)));
  if (one_in(6)) backend.mutable_connection_pool()->set_max_requests(number(2));
  if (one_in(9)) backend.mutable_connection_pool()->mutable_purge_delay()->set_seconds(number(2));
  if (one_in(9)) backend.mutable_connection_pool()->set_min_idle(number(2));
  if (one_in(9)) backend.mutable_connection_pool()->set_warm(number(2));
  if (one_in(9)) backend.mutable_connection_pool()->set_transparent(true);
  if (one_in(9)) backend.set_on_marked_up(static_cast<v1::OnMarkedUp>(number(2)));
  if (one_in(6)) backend.mutable_connection_pool()->set_source_address(one_in(2) ? "127.0.0.1" : "::1");
  if (one_in(6)) backend.mutable_server_defaults()->set_min_connections(number(2));
  if (one_in(6)) backend.mutable_server_defaults()->set_full_connections(number(2) * 10);
  if (one_in(6)) backend.mutable_circuit()->set_max_requests(number(2) * 100);
  if (one_in(6)) backend.mutable_circuit()->set_max_retries(number(2));
  if (one_in(4)) backend.mutable_queue()->set_max_waiting(number(2));
  if (one_in(6)) backend.mutable_queue()->set_max_waiting_per_server(number(2));
  if (one_in(6)) backend.mutable_circuit()->set_max_connections(number(2) * 100);
  if (one_in(6)) fill(*backend.mutable_queue()->mutable_timeout());
  if (one_in(9)) backend.mutable_queue();
  if (one_in(4)) fill(*backend.mutable_health_check());
  if (one_in(9)) backend.mutable_failover()->set_panic_threshold(number(101));
  if (one_in(9)) backend.mutable_failover()->mutable_zones()->set_prefer_near(number(1) == 1);
  if (one_in(9)) backend.mutable_failover();
  if (one_in(9)) backend.mutable_slow_start()->mutable_window()->set_seconds(number(2));
  if (one_in(6)) backend.mutable_outlier_detection()->set_max_ejected_percent(number(1) * 50);
  if (one_in(9)) backend.mutable_discovery()->set_srv(one_in(6) ? "a..b" : number(1) == 1 ? "_a._tcp.x" : "b.");
  if (one_in(9)) backend.mutable_discovery()->add_also("c");
  if (one_in(9)) backend.mutable_discovery();
  if (one_in(6)) backend.mutable_send_proxy_protocol()->set_version(static_cast<v1::ProxyHeader>(number(2)));
  if (one_in(9)) backend.mutable_send_proxy_protocol()->set_crc32c(one_in(2));
  if (one_in(9)) fill(*backend.mutable_tcp()->mutable_user_timeout());
  if (one_in(40)) backend.mutable_outlier_detection()->set_consecutive_errors(1001);
  fill(*backend.mutable_labels());
  if (one_in(3)) {
    for (size_t i = random_.below(4); i > 0; --i) {
      v1::Server& server = *backend.add_servers();
      fill(server);
      server.set_name(absl::StrCat("s", 6 * i + random_.below(6)));
      // It was to follow itself, by the name that it had.
      if (server.has_health_check()) server.mutable_health_check()->clear_track();
      server.clear_backend();
      if (one_in(2)) server.set_backend(backend.name());
    }
  }
}

// Nobody makes the checks: what is checked takes requests until its first one.
void RandomOperations::fill(v1::HealthCheck& check) {
  check.set_initial_state(v1::INITIAL_STATE_UP);
  if (one_in(2)) check.mutable_tcp();
  if (one_in(2)) check.mutable_http();
  if (one_in(4)) check.mutable_agent()->set_port(7 + number(1));
  if (one_in(4)) (*check.mutable_http()->mutable_headers())[absl::StrCat("x-", random_.below(3))] = "v";
  if (one_in(4)) check.mutable_http()->set_path(one_in(2) ? "/" : "");
  if (one_in(3)) check.mutable_interval()->set_seconds(2 + number(1));
  if (one_in(3)) check.set_rise(number(2));
  if (one_in(3)) check.set_port(1 + number(1));
}

void RandomOperations::fill(v1::Server& server) {
  server.set_backend(name("b", 4));
  server.set_name(absl::StrCat("s", random_.below(30)));
  const char* addresses[] = {"10.0.0.1:80", "10.0.0.2:80", "[::3]:80", "[0:0:0:0:0:0:0:3]:80"};
  server.set_address(one_in(20) ? absl::StrCat("unix:/", prefix_, random_.below(2)) : addresses[random_.below(4)]);
  if (one_in(2)) server.set_weight(number(3));
  if (one_in(60)) server.set_weight(257);
  if (one_in(4)) server.set_max_connections(number(3) * 10);
  if (one_in(8)) server.set_min_connections(number(2));
  if (one_in(3)) server.set_admin_state(static_cast<v1::AdminState>(1 + number(2)));
  if (one_in(8)) server.mutable_health_check()->set_disabled(one_in(2));
  if (one_in(20)) server.mutable_health_check()->set_port(1 + number(1));
  if (one_in(20)) server.mutable_health_check()->mutable_agent()->set_port(1 + number(1));
  if (one_in(8)) server.set_backup(number(1) == 1);
  if (one_in(8)) server.set_priority(number(17));
  if (one_in(40)) server.mutable_health_check()->set_track(server.backend() + "/" + server.name());
  fill(*server.mutable_labels());
  // Output only: ignored.
  if (one_in(8)) server.mutable_metadata()->set_uid(random_.between(1, 50));
  if (one_in(8)) server.mutable_status()->set_in_flight(7);
}

void RandomOperations::fill(v1::Patch& patch) {
  fill(*patch.mutable_resource());
  auto paths = [&](std::initializer_list<const char*> all) {
    for (const char* path : all) {
      if (one_in(all.size())) patch.mutable_update_mask()->add_paths(path);
    }
    if (patch.update_mask().paths().empty()) patch.mutable_update_mask()->add_paths("labels");
  };
  if (patch.resource().has_server()) {
    paths({"weight", "address", "max_connections", "admin_state", "health_check", "health_check.port",
           "health_check.agent", "health_check.agent.port", "priority", "backup", "min_connections", "labels"});
  } else if (patch.resource().has_backend()) {
    patch.mutable_resource()->mutable_backend()->clear_servers();
    paths({"balance",
           "balance.algorithm",
           "balance.draws",
           "balance.peak_ewma",
           "balance.prequal.pool_size",
           "balance.prequal",
           "balance.hash",
           "balance.hash.key",
           "server_defaults.weight",
           "server_defaults.max_connections",
           "timeouts.connect",
           "timeouts",
           "retry",
           "retry.conditions",
           "retry.back_off",
           "persistence",
           "persistence.cookie",
           "persistence.cookie.secret",
           "persistence.table",
           "queue",
           "queue.max_waiting",
           "queue.max_waiting_per_server",
           "circuit.max_connections",
           "queue.timeout",
           "drain",
           "drain.timeout",
           "drain.jitter",
           "connection_pool.idle_timeout",
           "connection_pool.max_idle",
           "connection_pool.reuse",
           "connection_pool.purge_delay",
           "connection_pool.warm",
           "connection_pool.transparent",
           "on_marked_up",
           "circuit",
           "circuit.max_retries",
           "failover",
           "failover.panic_threshold",
           "send_proxy_protocol",
           "send_proxy_protocol.version",
           "tcp.user_timeout",
           "discovery",
           "discovery.srv",
           "slow_start",
           "slow_start.window",
           "labels"});
  } else if (patch.resource().listener().protocol() == v1::PROTOCOL_HTTP) {
    paths({"bind", "default_backend", "routes", "timeouts.idle", "timeouts", "max_connections", "rate_limit",
           "rate_limit.burst", "client_rate_limit.limit", "http.max_headers", "http", "labels", "proxy_protocol",
           "access", "access.rules", "max_connections_per_client", "minimum_rates.body", "tcp",
           "tcp.keep_alive.probes"});
  } else {
    paths({"bind", "default_backend", "routes", "timeouts.idle", "timeouts", "max_connections", "labels"});
  }
}

void RandomOperations::fill(v1::Delete& request) {
  switch (random_.below(8)) {
    case 0:
      return request.set_listener(name("l", 3));
    case 1:
      return request.set_backend(name("b", 4));
    default:
      request.mutable_server()->set_backend(name("b", 4));
      request.mutable_server()->set_name(absl::StrCat("s", random_.below(30)));
      if (one_in(3)) request.mutable_drain()->mutable_timeout()->set_seconds(number(1));
  }
}

void RandomOperations::fill(google::protobuf::Duration& duration) {
  switch (random_.below(3)) {
    case 0:
      return duration.set_seconds(1 + number(1));
    case 1:
      return duration.set_nanos(1'000'000);
    default:
      duration.set_seconds(1);
      duration.set_nanos(500'000'001);
  }
}

void RandomOperations::fill(google::protobuf::Map<std::string, std::string>& labels) {
  if (!one_in(3)) return;
  for (size_t i = random_.below(4); i > 0; --i) labels[absl::StrCat("k", random_.below(12))] = one_in(3) ? "" : "v";
}

}  // namespace fairlead::management
