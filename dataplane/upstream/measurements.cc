#include "upstream/measurements.h"

#include <algorithm>

namespace fairlead::upstream {

void Measurements::observe(runtime::Duration latency, uint32_t in_flight, runtime::TimePoint now,
                           const config::Backend& settings) {
  // Both, so that a change of the algorithm finds what it needs.
  ewma_.observe(latency, now.time_since_epoch(), settings.peak_ewma.effective_decay());
  record_.observe(latency, in_flight, now.time_since_epoch());
}

void Measurements::observe_at_least(runtime::Duration latency, uint32_t in_flight, runtime::TimePoint now,
                                    const config::Backend& settings) {
  double known = ewma_.latency(now.time_since_epoch(), settings.peak_ewma.effective_decay());
  auto least = known > 0 ? known : static_cast<double>(kFailure.count());
  if (static_cast<double>(latency.count()) > least) observe(latency, in_flight, now, settings);
}

void Measurements::take_report(const http::ResponseHead& head, runtime::TimePoint now) {
  const http::Header* header = head.headers.find(codec::kLoadReportHeader);
  if (!header) return;
  std::optional<codec::LoadReport> report = codec::parse_load_report(header->value);
  if (!report) return;
  report_ = *report;
  report_until_ = now + kReportAge;
}

balancing::Probe Measurements::probe(uint32_t in_flight, runtime::TimePoint now) {
  balancing::Probe probe{
      .in_flight = in_flight, .latency = record_.estimate(in_flight, now.time_since_epoch()), .is_overloaded = false};
  if (now >= report_until_) return probe;
  // It counts what comes from others as well.
  if (report_.in_flight) probe.in_flight = std::max(in_flight, *report_.in_flight);
  probe.is_overloaded = report_.utilization.value_or(0) >= 1;
  return probe;
}

}  // namespace fairlead::upstream
