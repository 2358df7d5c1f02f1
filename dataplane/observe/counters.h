// What a worker counts for a backend, a server or a listener. Plain numbers: one thread writes and reads them; others
// get copies (see statistics.h). All but the gauges only ever grow.
#pragma once

#include <array>
#include <cstdint>

#include "observe/histogram.h"

namespace fairlead::observe {

// How a request (HTTP) or a connection (TCP) ended that did not end well. One owner decides on it, once for each.
enum class Failure : uint8_t { kConnect, kTimeout, kResponse, kNoServer, kClient, kFull };
inline constexpr int kFailures = 6;

struct Counters {
  uint64_t started = 0;
  uint64_t finished = 0;
  std::array<uint64_t, kFailures> failed{};
  uint64_t retried = 0;
  // Further tries that the backend's budget did not allow.
  uint64_t retries_refused = 0;
  // Of the retried: those that were sent beside a slow first one; of these, those that answered first; and, of a
  // server, those that another server was quicker with.
  uint64_t hedged = 0;
  uint64_t hedges_won = 0;
  uint64_t outrun = 0;
  // Persistence led to a server that took them; and to one that did not.
  uint64_t persisted = 0;
  uint64_t persistence_lost = 0;
  // Brought a cookie that was too old.
  uint64_t persistence_expired = 0;
  // Those that found all servers full and waited; of these, that waited too long; and those that could not wait because
  // too many did.
  uint64_t waited = 0;
  uint64_t queue_timeouts = 0;
  uint64_t queue_refused = 0;
  // Those that came when the backend had all that its circuit limits allow.
  uint64_t circuit_refused = 0;
  // [0] is 1xx.
  std::array<uint64_t, 5> statuses{};
  uint64_t bytes_from_clients = 0;
  uint64_t bytes_to_clients = 0;
  uint64_t cut_off = 0;
  // Connections that were opened before a request asked for them, and those that could not be; idle ones that were
  // closed because they were not needed.
  uint64_t warmed = 0;
  uint64_t warming_failed = 0;
  uint64_t purged = 0;
  // Gauges.
  uint64_t in_flight = 0;
  uint64_t queued = 0;
  // Of a server: connections in its pool.
  uint64_t idle = 0;
  // In microseconds, from a request's first byte until its response's last.
  Histogram latency;

  Counters& operator+=(const Counters& other);
  // What was counted since `earlier`, an older copy of the same counters; gauges stay as they are. Where one worker has
  // let go of a server and another has not, a copy can be behind an older one: that counts as nothing.
  Counters since(const Counters& earlier) const;
};

}  // namespace fairlead::observe
