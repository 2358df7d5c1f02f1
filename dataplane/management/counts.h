// What is counted of the management API's clients, for metrics. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace fairlead::management {

struct Counts {
  std::atomic<uint64_t> handshakes_done = 0;
  // Refused, broken off, or not done in time.
  std::atomic<uint64_t> handshakes_failed = 0;
  // With TLS, open now.
  std::atomic<uint64_t> tls_connections = 0;
  // Closed as they came, because there were too many.
  std::atomic<uint64_t> tls_connections_refused = 0;
  // Calls and transactions that the client's role does not allow.
  std::atomic<uint64_t> denied = 0;
  // Of changed certificate files.
  std::atomic<uint64_t> reloads_done = 0;
  std::atomic<uint64_t> reloads_refused = 0;
};

}  // namespace fairlead::management
