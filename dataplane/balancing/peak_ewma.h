// Peak EWMA: what a server is expected to take for one more request, latency x in flight; of two drawn by weight the
// one that takes less for its weight (random.h).
//
// As in Finagle (com.twitter.finagle.loadbalancer.PeakEwma) and linkerd: a moving average over time, not over
// responses, that follows a slow response at once and fast ones slowly. A server that nothing is known of costs nothing
// while it is idle, and more than any other until its first response: one request finds out.
//
// Of one worker and one server. Time is a parameter, counted from any fixed moment.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "balancing/log2.h"
#include "config/model.h"

namespace fairlead::balancing {

class PeakEwma {
 public:
  // A response took so long. `decay`: how long until an observation has 1/e of its weight.
  void observe(config::Duration latency, config::Duration now, config::Duration decay);
  // In nanoseconds, for one request; 0 where nothing is known.
  double latency(config::Duration now, config::Duration decay) const { return std::exp2(log2_at(now, decay)); }
  // The binary logarithm of latency x requests, with one more: comparing servers takes sums only.
  Log2 cost(uint64_t in_flight, config::Duration now, config::Duration decay) const {
    if (is_unknown()) return in_flight == 0 ? Log2{kNothing} : Log2{kUnknown + static_cast<double>(in_flight)};
    return {log2_at(now, decay) + log2_of(in_flight + 1)};
  }

  // More than that of any latency x in flight.
  static constexpr double kUnknown = 1000;
  // Of a cost of 0.
  static constexpr double kNothing = -std::numeric_limits<double>::infinity();

 private:
  bool is_unknown() const { return log2_latency_ == kNothing; }
  double log2_at(config::Duration now, config::Duration decay) const {
    return log2_latency_ - log2_decayed(now - observed_, decay);
  }
  // What has been lost since.
  static double log2_decayed(config::Duration age, config::Duration decay) {
    auto passed = static_cast<double>(std::max<int64_t>(age.count(), 0));
    return passed * (std::numbers::log2e / static_cast<double>(decay.count()));
  }

  double log2_latency_ = kNothing;
  config::Duration observed_{};
};

}  // namespace fairlead::balancing
