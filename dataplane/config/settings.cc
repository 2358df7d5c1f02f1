#include "config/settings.h"

#include <algorithm>
#include <tuple>

namespace fairlead::config {
namespace {

auto tied(const Server& s) { return std::tie(s.name, s.address, s.weight, s.max_connections, s.admin_state, s.labels); }

bool same_extras(const Server& a, const Server& b) {
  return a.extras == b.extras || (a.extras && b.extras && a.extras->same_as(*b.extras));
}

auto tied(const Backend& b) {
  return std::tie(b.name, b.algorithm, b.draws, b.peak_ewma, b.prequal, b.hash, b.default_weight,
                  b.default_max_connections, b.min_connections, b.full_connections, b.timeouts.connect,
                  b.timeouts.response, b.timeouts.idle, b.retry, b.queue, b.drain.timeout, b.drain.jitter,
                  b.health_check, b.on_marked_down, b.on_marked_up, b.outlier_detection, b.discovery, b.failover,
                  b.slow_start, b.pool, b.circuit, b.persistence, b.send_proxy_protocol, b.tcp, b.tls, b.labels);
}

auto tied(const Route& r) { return std::tie(r.hosts, r.path_prefix, r.backend, r.priority, r.rate_limit); }

bool same_actions(const Route& a, const Route& b) {
  return a.actions == b.actions || (a.actions && b.actions && a.actions->same_as(*b.actions));
}

bool same_pages(const Listener& a, const Listener& b) {
  return a.error_pages == b.error_pages ||
         (a.error_pages && b.error_pages && a.error_pages->pages == b.error_pages->pages);
}

auto tied(const Listener& l) {
  return std::tie(l.name, l.bind, l.protocol, l.default_backend, l.timeouts.request_head, l.timeouts.keep_alive,
                  l.timeouts.idle, l.max_connections, l.max_head_bytes, l.max_headers, l.forwarded, l.http_policy,
                  l.rate_limit, l.client_rate_limit, l.timeouts.proxy_header, l.proxy_protocol, l.access,
                  l.max_connections_per_client, l.minimum_rates, l.tcp, l.tls, l.labels);
}

}  // namespace

bool same_settings(const Server& a, const Server& b) {
  return tied(a) == tied(b) && a.priority == b.priority && a.backup == b.backup && same_extras(a, b);
}

bool same_settings(const Backend& a, const Backend& b) { return tied(a) == tied(b); }

bool same_settings(const Listener& a, const Listener& b) {
  auto same_route = [](const Route& x, const Route& y) { return tied(x) == tied(y) && same_actions(x, y); };
  return tied(a) == tied(b) && same_pages(a, b) && std::ranges::equal(a.routes, b.routes, same_route);
}

bool same_settings(const Certificate& a, const Certificate& b) {
  return a.name == b.name && a.chain == b.chain && a.ocsp_response == b.ocsp_response && a.labels == b.labels;
}

}  // namespace fairlead::config
