// Options of TCP sockets. Unset fields: as the system is set.
#pragma once

#include <cstdint>
#include <optional>

#include "config/duration.h"

namespace fairlead::config {

struct TcpKeepAlive {
  // Whole seconds.
  std::optional<Duration> time;
  std::optional<Duration> interval;
  std::optional<uint32_t> probes;

  bool is_on() const { return time || interval || probes; }
  bool operator==(const TcpKeepAlive&) const = default;
};

// Of connections to servers, and of those from clients.
struct TcpOptions {
  TcpKeepAlive keep_alive;
  std::optional<Duration> user_timeout;

  bool is_set() const { return keep_alive.is_on() || user_timeout; }
  bool operator==(const TcpOptions&) const = default;
};

struct ListenerTcp {
  TcpOptions connections;
  std::optional<uint32_t> backlog;
  // Whole seconds.
  std::optional<Duration> defer_accept;
  std::optional<uint32_t> fast_open;

  uint32_t effective_backlog() const { return backlog.value_or(4096); }
  bool operator==(const ListenerTcp&) const = default;
};

}  // namespace fairlead::config
