#include "generator/results.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "fmt/format.h"

namespace fairlead::generator {
namespace {

constexpr std::array<std::string_view, kKinds> kKindNames = {"plain", "slow", "upload"};

double seconds_between(runtime::TimePoint from, runtime::TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string to_json(const LatencyHistogram& latency) {
  return fmt::format(
      R"({{"count":{},"mean_ms":{:.4f},"p50_ms":{:.4f},"p90_ms":{:.4f},"p99_ms":{:.4f},"p999_ms":{:.4f},"max_ms":{:.4f}}})",
      latency.count(), latency.mean_ms(), latency.quantile_ms(0.5), latency.quantile_ms(0.9), latency.quantile_ms(0.99),
      latency.quantile_ms(0.999), latency.max_ms());
}

}  // namespace

void Results::on_done(const Job& job, Outcome outcome, runtime::TimePoint now) {
  --in_flight_;
  if (outcome) return failures_.add(std::move(*outcome));
  ++completed_;
  if (job.due < warm_) return;
  latencies_[static_cast<size_t>(job.kind)].record(now - job.due);
  // Slow requests and uploads take long because they are meant to.
  if (job.kind == Kind::kPlain) interval_latency_.record(now - job.due);
}

void Results::on_refused(Failure failure) {
  --in_flight_;
  failures_.add(std::move(failure));
}

std::string Results::end_interval(runtime::TimePoint now, double target_rate) {
  double seconds = seconds_between(interval_start_, now);
  auto due = static_cast<double>(due_ - std::exchange(interval_due_, due_));
  auto completed = static_cast<double>(completed_ - std::exchange(interval_completed_, completed_));
  uint64_t failed_before = std::exchange(interval_failed_, failures_.total());
  std::string line = fmt::format(
      R"({{"type":"interval","seconds":{:.3f},"target_rate":{:.1f},"rate":{:.1f},"completed_rate":{:.1f},)"
      R"("in_flight":{},"failed":{},"failed_total":{},"requests_total":{},"p50_ms":{:.4f},"p99_ms":{:.4f},"max_ms":{:.4f}}})",
      seconds_between(start_, now), target_rate, due / seconds, completed / seconds, in_flight_,
      failures_.total() - failed_before, failures_.total(), due_, interval_latency_.quantile_ms(0.5),
      interval_latency_.quantile_ms(0.99), interval_latency_.max_ms());
  interval_start_ = now;
  interval_latency_.clear();
  return line;
}

std::string Results::summary(runtime::TimePoint now, const Clients& clients) const {
  double seconds = seconds_between(start_, now);
  std::string kinds;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    kinds += fmt::format("{}\"{}\":{}", kind == 0 ? "" : ",", kKindNames[kind], to_json(latencies_[kind]));
  }
  const LatencyHistogram& plain = latencies_[static_cast<size_t>(Kind::kPlain)];
  return fmt::format(
      R"({{"type":"summary","seconds":{:.3f},"requests":{},"completed":{},"failed":{},"rate":{:.1f},"p50_ms":{:.4f},)"
      R"("p99_ms":{:.4f},"connects":{},"bytes_received":{},"bytes_uploaded":{},"latency":{{{}}},"failures":{}}})",
      seconds, due_, completed_, failures_.total(), static_cast<double>(completed_) / std::max(seconds, 1e-3),
      plain.quantile_ms(0.5), plain.quantile_ms(0.99), clients.connects, clients.bytes_received, clients.bytes_uploaded,
      kinds, failures_.to_json());
}

}  // namespace fairlead::generator
