// What a value may be, whatever the state is. Each check returns what is wrong and what would be right, to stand behind
// "server web/s1: weight: ", or nothing. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/model.h"

namespace fairlead::config {

inline constexpr size_t kNameMax = 255;
inline constexpr size_t kLabelsMax = 64;
inline constexpr size_t kLabelValueMax = 255;
inline constexpr size_t kBindMax = 16;
inline constexpr size_t kRoutesMax = 1000;
inline constexpr size_t kRouteHostsMax = 100;
inline constexpr size_t kPathPrefixMax = 1024;
inline constexpr uint32_t kMaxConnectionsMax = 1'000'000;
// For one connection to a server.
inline constexpr uint32_t kPoolRequestsMax = 1'000'000'000;
inline constexpr uint32_t kTableSizeMin = 251;
inline constexpr uint32_t kTableSizeMax = 5'000'011;
// Percent.
inline constexpr uint32_t kBalanceFactorMax = 10'000;
inline constexpr Duration kTimeoutMin = std::chrono::milliseconds(1);
inline constexpr Duration kTimeoutMax = std::chrono::hours(24);
inline constexpr Duration kCheckIntervalMin = std::chrono::milliseconds(10);
inline constexpr size_t kCheckHeadersMax = 32;
inline constexpr size_t kCheckTextMax = 1024;
inline constexpr size_t kStatusRangesMax = 16;
inline constexpr size_t kGrpcServiceMax = 255;
inline constexpr size_t kAgentSendMax = 255;

using Problem = std::optional<std::string>;

// A value of a client, fit for a log or an error text: in quotes, escaped, cut after 64 bytes.
std::string quoted(std::string_view value);
// "1.5s", "250ms".
std::string to_text(Duration duration);

struct Range {
  uint64_t min;
  uint64_t max;
};

Problem check_name(std::string_view name);
Problem check_range(uint64_t value, Range allowed);
// Names a prime nearby.
Problem check_prime(uint32_t value);
Problem check_duration(Duration value, Duration min, Duration max);
Problem check_label(std::string_view key, std::string_view value);
// A data plane's own, as a label names it; may be empty.
Problem check_zone(std::string_view zone);
// "api.example.com", "*.example.com".
Problem check_host(std::string_view host);
// Empty, or begins with "/".
Problem check_path_prefix(std::string_view prefix);
// Of an HTTP check: "/healthz?deep=1".
Problem check_check_path(std::string_view path);
// An SRV name: as of a host, perhaps with a dot at its end.
Problem check_service_name(std::string_view name);
// A Host field: as check_host() without wildcards, and with a port where there is one.
Problem check_host_field(std::string_view host);
// A header field that a check may send, or that a route may set.
Problem check_header(std::string_view name, std::string_view value);
// Of persistence: a token.
Problem check_cookie_name(std::string_view name);
// Of a cookie: empty, or as check_host() with "." before it if one likes.
Problem check_cookie_domain(std::string_view domain);
Problem check_cookie_path(std::string_view path);
// What a server may be connected to, or stand for.
Problem check_destination(const Endpoint& address);

}  // namespace fairlead::config
