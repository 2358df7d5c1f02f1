#include "observe/counters.h"

#include <algorithm>
#include <cstddef>

namespace fairlead::observe {
namespace {

// Calls f(mine, other) for each count that only grows, the histogram apart.
template <typename F>
void for_each_count(Counters& mine, const Counters& other, F f) {
  f(mine.started, other.started);
  f(mine.finished, other.finished);
  for (int i = 0; i < kFailures; ++i) f(mine.failed[i], other.failed[i]);
  f(mine.retried, other.retried);
  f(mine.retries_refused, other.retries_refused);
  f(mine.hedged, other.hedged);
  f(mine.hedges_won, other.hedges_won);
  f(mine.outrun, other.outrun);
  f(mine.persisted, other.persisted);
  f(mine.persistence_lost, other.persistence_lost);
  f(mine.persistence_expired, other.persistence_expired);
  f(mine.waited, other.waited);
  f(mine.queue_timeouts, other.queue_timeouts);
  f(mine.queue_refused, other.queue_refused);
  f(mine.circuit_refused, other.circuit_refused);
  for (size_t i = 0; i < mine.statuses.size(); ++i) f(mine.statuses[i], other.statuses[i]);
  f(mine.bytes_from_clients, other.bytes_from_clients);
  f(mine.bytes_to_clients, other.bytes_to_clients);
  f(mine.cut_off, other.cut_off);
  f(mine.warmed, other.warmed);
  f(mine.warming_failed, other.warming_failed);
  f(mine.purged, other.purged);
}

}  // namespace

Counters& Counters::operator+=(const Counters& other) {
  for_each_count(*this, other, [](uint64_t& mine, uint64_t more) { mine += more; });
  in_flight += other.in_flight;
  queued += other.queued;
  idle += other.idle;
  latency += other.latency;
  return *this;
}

Counters Counters::since(const Counters& earlier) const {
  Counters difference = *this;
  for_each_count(difference, earlier, [](uint64_t& mine, uint64_t before) { mine -= std::min(mine, before); });
  difference.latency -= earlier.latency;
  return difference;
}

}  // namespace fairlead::observe
