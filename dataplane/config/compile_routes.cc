#include "config/compile_routes.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "config/text.h"

namespace fairlead::config {
namespace {

// As it stands in a table: lower case, a wildcard without its "*".
std::string host_key(std::string_view host) {
  return absl::AsciiStrToLower(as_absl(host.starts_with("*.") ? host.substr(1) : host));
}

// "/v1/" and "/v1" match the same.
std::string path_key(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return std::string(prefix);
}

template <typename F>
void for_each_match(const std::vector<Route>& routes, F f) {
  for (size_t i = 0; i < routes.size(); ++i) {
    std::string path = path_key(routes[i].path_prefix);
    if (routes[i].hosts.empty()) f(i, std::string(), path);
    for (const std::string& host : routes[i].hosts) f(i, host_key(host), path);
  }
}

}  // namespace

RouteTable compile_routes(const std::vector<Route>& routes, const std::string& default_backend, BackendLookup lookup) {
  std::map<std::string, std::vector<RouteTable::Path>> by_host;
  for_each_match(routes, [&](size_t index, const std::string& host, const std::string& path) {
    const Route& route = routes[index];
    by_host[host].push_back({path,
                             {.backend = route.backend.empty() ? BackendHandle() : lookup(route.backend),
                              .priority = route.effective_priority(),
                              .route = static_cast<uint16_t>(index),
                              .has_actions = route.actions != nullptr}});
  });
  RouteTable table;
  if (!default_backend.empty()) table.default_backend = lookup(default_backend);
  for (auto& [host, paths] : by_host) {
    std::ranges::sort(paths, LongestFirst(), &RouteTable::Path::prefix);
    if (host.empty()) {
      table.any_host = std::move(paths);
    } else {
      (host.front() == '.' ? table.wildcard : table.exact).push_back({host, std::move(paths)});
    }
  }
  std::ranges::sort(table.wildcard, LongestFirst(), &RouteTable::Host::name);
  return table;
}

std::optional<RouteConflict> find_route_conflict(const std::vector<Route>& routes) {
  std::map<std::pair<std::string, std::string>, size_t> seen;
  std::optional<RouteConflict> conflict;
  for_each_match(routes, [&](size_t index, const std::string& host, const std::string& path) {
    auto [at, added] = seen.try_emplace({host, path}, index);
    if (!added && at->second != index && !conflict) conflict = RouteConflict{at->second, index};
  });
  return conflict;
}

}  // namespace fairlead::config
