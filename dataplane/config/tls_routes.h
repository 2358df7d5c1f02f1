// Where TLS connections go that are passed on as they come: by the host and the protocols that their clients name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "config/route_table.h"

namespace fairlead::config {

struct TlsRoute {
  std::vector<std::string> hosts;
  std::vector<std::string> alpn;
  std::string backend;
  bool operator==(const TlsRoute&) const = default;
};

struct TlsPassThrough {
  std::vector<TlsRoute> routes;
  bool operator==(const TlsPassThrough&) const = default;
};

// Compiled: whoever matches first is the most specific.
struct TlsRouteTable {
  struct Entry {
    // Lower case. A wildcard's is kept without its "*": ".example.com". Empty matches every host.
    std::string host;
    // Empty matches every client.
    std::vector<std::string> alpn;
    BackendHandle backend;
    // Which of the listener's it is.
    size_t route = 0;
  };
  std::vector<Entry> entries;
};

// Requires that all backends exist.
TlsRouteTable compile_tls_routes(const std::vector<TlsRoute>& routes,
                                 absl::FunctionRef<BackendHandle(std::string_view name)> lookup);

// Two routes of which neither is more specific: positions.
struct TlsRouteConflict {
  size_t first;
  size_t second;
};
std::optional<TlsRouteConflict> find_tls_route_conflict(const std::vector<TlsRoute>& routes);

// `host` in lower case; empty where the client names none. Null: none matches.
const TlsRouteTable::Entry* find_tls_route(const TlsRouteTable& table, std::string_view host,
                                           absl::FunctionRef<bool(std::string_view protocol)> offers);

}  // namespace fairlead::config
