// What came of the requests: of the present interval and of the whole run, and how it is told as JSON.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "generator/client.h"
#include "generator/failures.h"
#include "generator/latency_histogram.h"

namespace fairlead::generator {

class Results {
 public:
  // What is due within `warm_up` counts, but for how long it took: connections are made then.
  explicit Results(runtime::TimePoint start, runtime::Duration warm_up = {})
      : start_(start), warm_(start + warm_up), interval_start_(start) {}

  // A request is due (whether it could be sent or not), and is over.
  void on_due() {
    ++due_;
    ++in_flight_;
  }
  void on_done(const Job& job, Outcome outcome, runtime::TimePoint now);
  // Never sent.
  void on_refused(Failure failure);

  uint64_t in_flight() const { return in_flight_; }
  uint64_t failed() const { return failures_.total(); }

  // One line, without its end; begins the next interval.
  std::string end_interval(runtime::TimePoint now, double target_rate);
  std::string summary(runtime::TimePoint now, const Clients& clients) const;

 private:
  runtime::TimePoint start_;
  runtime::TimePoint warm_;
  uint64_t due_ = 0;
  uint64_t completed_ = 0;
  uint64_t in_flight_ = 0;
  std::array<LatencyHistogram, kKinds> latencies_;
  FailureTally failures_;

  // The present interval.
  runtime::TimePoint interval_start_;
  uint64_t interval_due_ = 0;
  uint64_t interval_completed_ = 0;
  uint64_t interval_failed_ = 0;
  LatencyHistogram interval_latency_;
};

}  // namespace fairlead::generator
