// From a request's host and path to a backend. Pure; allocates nothing; any thread.
//
// The most specific host decides first: an exact name, then the longest wildcard, then routes without a host. Where
// none of a host's paths matches, the next less specific host is asked, and in the end the listener's default backend.
// Within a host the longest path prefix of whole segments wins. Costs a binary search for each label of the host and
// each segment of the path, so thousands of routes are no slower than ten.
#pragma once

#include <string_view>

#include "config/route_table.h"

namespace fairlead::routing {

// `host`: as the client spelled it, with or without a port ("a.example.com", "A.example.com.:80", "[::1]:80"); empty
// matches routes without a host only. IP addresses match by their text. `path`: of the target, as it is sent on, the
// query may follow; "*" and empty match routes without a path only. The backend's uid is 0 where nothing matches.
config::RouteTarget route(const config::RouteTable& table, std::string_view host, std::string_view path);

}  // namespace fairlead::routing
