// From a listener's routes, as configured, to the table that requests are looked up in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "config/model.h"

namespace fairlead::config {

// The handle of a backend by name; uid 0 where there is none.
using BackendLookup = absl::FunctionRef<BackendHandle(std::string_view name)>;

// Requires that all backends exist and find_route_conflict() finds none.
RouteTable compile_routes(const std::vector<Route>& routes, const std::string& default_backend, BackendLookup lookup);

// Two routes that match the same host and path, so that neither is more specific: positions in `routes`.
struct RouteConflict {
  size_t first;
  size_t second;
};
std::optional<RouteConflict> find_route_conflict(const std::vector<Route>& routes);

}  // namespace fairlead::config
