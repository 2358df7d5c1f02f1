// What one worker has measured of one server, for algorithms that go by latency. Made only where the backend has such
// an algorithm. One thread.
#pragma once

#include "balancing/peak_ewma.h"
#include "balancing/prequal.h"
#include "codec/load_report.h"
#include "config/model.h"
#include "http/head.h"
#include "runtime/time.h"

namespace fairlead::upstream {

class Measurements {
 public:
  // A try that fails counts as one that took at least so long: else who fails fast would look fast.
  static constexpr runtime::Duration kFailure = std::chrono::seconds(1);
  // What a server says of itself holds for so long.
  static constexpr runtime::Duration kReportAge = std::chrono::seconds(1);

  // Latency is from the choice of the server until the final response's head (HTTP) or its acceptance (TCP).
  // `in_flight`: at the beginning, with the one that was measured.
  void observe(runtime::Duration latency, uint32_t in_flight, runtime::TimePoint now, const config::Backend& settings);
  // Somebody has stopped waiting after so long: it counts where it would have been slow, and says nothing else.
  void observe_at_least(runtime::Duration latency, uint32_t in_flight, runtime::TimePoint now,
                        const config::Backend& settings);
  // Of its load, where it says something.
  void take_report(const http::ResponseHead& head, runtime::TimePoint now);

  balancing::Log2 ewma_cost(uint32_t in_flight, runtime::TimePoint now, const config::Backend& settings) const {
    return ewma_.cost(in_flight, now.time_since_epoch(), settings.peak_ewma.effective_decay());
  }
  balancing::Probe probe(uint32_t in_flight, runtime::TimePoint now);

 private:
  balancing::PeakEwma ewma_;
  balancing::LatencyRecord record_;
  codec::LoadReport report_;
  runtime::TimePoint report_until_{};
};

}  // namespace fairlead::upstream
