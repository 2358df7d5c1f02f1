// What the process as a whole may have, and how near it is to that. One for all workers, and outlives them; any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace fairlead::proxy {

// What is done while memory or descriptors are short; each with those before it.
enum class OverloadStep : uint8_t {
  kNone,
  // Responses end their connections.
  kNoKeepAlive,
  // Connections are closed as they come.
  kNoConnections,
  // Idle connections of clients are closed.
  kShed,
};

struct ProcessState {
  // Of clients, open at once; 0: no limit. Set before any worker runs.
  uint32_t max_connections = 0;
  // Counted where there is a limit.
  std::atomic<uint32_t> connections = 0;
  std::atomic<OverloadStep> overload = OverloadStep::kNone;

  bool at_least(OverloadStep step) const { return overload.load(std::memory_order_relaxed) >= step; }
  // False at the limit. Who was let in leaves.
  bool enter() {
    if (max_connections == 0) return true;
    if (connections.fetch_add(1, std::memory_order_relaxed) < max_connections) return true;
    leave();
    return false;
  }
  void leave() {
    if (max_connections != 0) connections.fetch_sub(1, std::memory_order_relaxed);
  }
};

}  // namespace fairlead::proxy
