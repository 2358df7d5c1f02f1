// Peak EWMA: what a server is expected to take for one more request, latency x in flight; of two drawn by weight the
// one that takes less for its weight (random.h).
//
// As in Finagle (com.twitter.finagle.loadbalancer.PeakEwma) and linkerd: a moving average over time, not over
// responses, that follows a slow response at once and fast ones slowly. A server that nothing is known of costs nothing
// while it is idle, and more than any other until its first response: one request finds out.
//
// Of one worker and one server. Time is a parameter, counted from any fixed moment.
#pragma once

#include <cstdint>

#include "config/model.h"

namespace fairlead::balancing {

class PeakEwma {
 public:
  // A response took so long. `decay`: how long until an observation has 1/e of its weight.
  void observe(config::Duration latency, config::Duration now, config::Duration decay);
  // In nanoseconds, for one request; 0 where nothing is known.
  double latency(config::Duration now, config::Duration decay) const;
  double cost(uint64_t in_flight, config::Duration now, config::Duration decay) const {
    double one = latency(now, decay);
    if (one == 0 && in_flight > 0) return kUnknown + static_cast<double>(in_flight);
    return one * static_cast<double>(in_flight + 1);
  }

  // More than any latency x in flight: a day for each of a million.
  static constexpr double kUnknown = 1e20;

 private:
  double latency_ = 0;
  config::Duration observed_{};
};

}  // namespace fairlead::balancing
