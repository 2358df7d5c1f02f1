// How servers are checked: the settings, as immutable values.
//
// Fields that are unset hold their default, which the accessor gives.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/check_place.h"
#include "config/send_proxy.h"

namespace fairlead::config {

enum class InitialState : uint8_t { kPending, kUp };
enum class OnMarkedDown : uint8_t { kKeep, kClose };
enum class OnMarkedUp : uint8_t { kKeep, kCloseBackups };
enum class CheckMethod : uint8_t { kGet, kHead, kOptions, kPost };

// Both included.
struct StatusRange {
  uint16_t first = 0;
  uint16_t last = 0;
  friend bool operator==(const StatusRange&, const StatusRange&) = default;
};

struct HttpCheck {
  std::string path{};
  std::optional<CheckMethod> method{};
  // Empty: the address that is checked.
  std::string host{};
  // Sorted by name.
  std::vector<std::pair<std::string, std::string>> headers{};
  // Empty: 200 to 399.
  std::vector<StatusRange> expected{};
  // Empty: the body is not looked at.
  std::string body_contains{};

  std::string_view effective_path() const { return path.empty() ? std::string_view("/") : path; }
  CheckMethod effective_method() const { return method.value_or(CheckMethod::kGet); }
  bool expects(uint16_t status) const {
    if (expected.empty()) return status >= 200 && status <= 399;
    return std::ranges::any_of(
        expected, [status](const StatusRange& range) { return range.first <= status && status <= range.last; });
  }
  friend bool operator==(const HttpCheck&, const HttpCheck&) = default;
};

struct TcpCheck {
  friend bool operator==(const TcpCheck&, const TcpCheck&) = default;
};

struct GrpcCheck {
  // Empty: the server as a whole.
  std::string service;
  // Empty: the address that is checked.
  std::string authority;
  friend bool operator==(const GrpcCheck&, const GrpcCheck&) = default;
};

// Only an agent is asked.
struct NoCheck {
  friend bool operator==(const NoCheck&, const NoCheck&) = default;
};

struct AgentCheck {
  // Set.
  CheckPlace place{};
  std::optional<std::chrono::nanoseconds> interval{};
  std::string send{};
  friend bool operator==(const AgentCheck&, const AgentCheck&) = default;
};

struct HealthCheck {
  using Duration = std::chrono::nanoseconds;

  std::variant<TcpCheck, HttpCheck, GrpcCheck, NoCheck> kind;
  std::optional<Duration> interval;
  std::optional<Duration> fast_interval;
  std::optional<Duration> down_interval;
  std::optional<Duration> timeout;
  std::optional<uint32_t> rise;
  std::optional<uint32_t> fall;
  // For all servers.
  CheckPlace place;
  std::optional<InitialState> initial_state;
  std::optional<ProxyHeader> proxy_header;
  std::optional<AgentCheck> agent;
  // Unset: as the backend does.
  std::optional<bool> tls;

  bool has_check() const { return !std::holds_alternative<NoCheck>(kind); }
  Duration agent_interval() const { return agent && agent->interval ? *agent->interval : effective_interval(); }
  Duration effective_interval() const { return interval.value_or(std::chrono::seconds(2)); }
  Duration effective_fast_interval() const { return fast_interval.value_or(effective_interval()); }
  Duration effective_down_interval() const { return down_interval.value_or(effective_interval()); }
  Duration effective_timeout() const {
    return timeout.value_or(std::min<Duration>(effective_interval(), std::chrono::seconds(2)));
  }
  uint32_t effective_rise() const { return rise.value_or(2); }
  uint32_t effective_fall() const { return fall.value_or(3); }
  InitialState effective_initial_state() const { return initial_state.value_or(InitialState::kPending); }
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

}  // namespace fairlead::config
