// Servers that an SRV name lists: the settings of a backend, and what such a name has. Immutable values.
//
// Fields that are unset hold their default, which the accessor gives.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::config {

inline constexpr uint32_t kDiscoveredMax = 1'000;

struct Discovery {
  // As it was given.
  std::string srv;
  // Further ones, as they were given.
  std::vector<std::string> also{};
  std::optional<uint32_t> max_servers{};

  // All names, as they are asked for (see service_question()).
  std::vector<std::string> questions() const;
  // All names, as they were given: "_a._tcp.x, _b._tcp.x".
  std::string text() const;
  uint32_t effective_max_servers() const { return max_servers.value_or(100); }
  bool operator==(const Discovery&) const = default;
};

// One of an SRV name's records (RFC 2782).
struct Service {
  uint16_t priority = 0;
  // A host's name, as a server's address has it.
  std::string target;
  uint16_t port = 0;
  uint16_t weight = 0;

  friend auto operator<=>(const Service&, const Service&) = default;
};

// SRV names are asked for beside names of hosts, with which they are not to be confused: no host has a blank. In lower
// case, without a dot at the end.
inline constexpr std::string_view kServicePrefix = "SRV ";
std::string service_question(std::string_view srv);
inline bool is_service_question(std::string_view name) { return name.starts_with(kServicePrefix); }
// Of a question that is one.
inline std::string_view service_name(std::string_view question) { return question.substr(kServicePrefix.size()); }

}  // namespace fairlead::config
