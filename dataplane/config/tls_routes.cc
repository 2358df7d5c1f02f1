#include "config/tls_routes.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "config/text.h"

namespace fairlead::config {
namespace {

std::string key_of(std::string_view host) {
  return absl::AsciiStrToLower(as_absl(host.starts_with("*.") ? host.substr(1) : host));
}

// Exact hosts, wildcards, any host.
int kind_of(std::string_view host) { return host.empty() ? 2 : host.front() == '.' ? 1 : 0; }

auto rank_of(const TlsRouteTable::Entry& entry) {
  return std::tuple(kind_of(entry.host), -static_cast<ptrdiff_t>(entry.host.size()), entry.alpn.empty(), entry.route);
}

bool matches(const TlsRouteTable::Entry& entry, std::string_view host) {
  if (entry.host.empty()) return true;
  if (entry.host.front() != '.') return entry.host == host;
  return host.size() > entry.host.size() && host.ends_with(entry.host);
}

}  // namespace

TlsRouteTable compile_tls_routes(const std::vector<TlsRoute>& routes,
                                 absl::FunctionRef<BackendHandle(std::string_view name)> lookup) {
  TlsRouteTable table;
  for (size_t i = 0; i < routes.size(); ++i) {
    const TlsRoute& route = routes[i];
    BackendHandle backend = lookup(route.backend);
    if (route.hosts.empty()) table.entries.push_back({"", route.alpn, backend, i});
    for (const std::string& host : route.hosts) table.entries.push_back({key_of(host), route.alpn, backend, i});
  }
  std::ranges::sort(table.entries, {}, rank_of);
  return table;
}

std::optional<TlsRouteConflict> find_tls_route_conflict(const std::vector<TlsRoute>& routes) {
  std::map<std::pair<std::string, std::string>, size_t> seen;
  std::optional<TlsRouteConflict> conflict;
  auto note = [&](const std::string& host, const std::string& protocol, size_t index) {
    auto [at, added] = seen.try_emplace({host, protocol}, index);
    if (!added && !conflict) conflict = TlsRouteConflict{at->second, index};
  };
  for (size_t i = 0; i < routes.size(); ++i) {
    std::vector<std::string> hosts = routes[i].hosts;
    if (hosts.empty()) hosts.emplace_back();
    for (const std::string& host : hosts) {
      if (routes[i].alpn.empty()) note(key_of(host), "", i);
      for (const std::string& protocol : routes[i].alpn) note(key_of(host), protocol, i);
    }
  }
  return conflict;
}

const TlsRouteTable::Entry* find_tls_route(const TlsRouteTable& table, std::string_view host,
                                           absl::FunctionRef<bool(std::string_view protocol)> offers) {
  for (const TlsRouteTable::Entry& entry : table.entries) {
    if (!matches(entry, host)) continue;
    if (entry.alpn.empty() || std::ranges::any_of(entry.alpn, offers)) return &entry;
  }
  return nullptr;
}

}  // namespace fairlead::config
