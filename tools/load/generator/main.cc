// fairlead-load: makes load over HTTP/1.1 or TCP and measures what comes back.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "base/command_line.h"
#include "fmt/format.h"
#include "generator/load.h"
#include "program/stop_signals.h"
#include "runtime/epoll_driver.h"

ABSL_FLAG(std::string, target, "", "address to send to, like 127.0.0.1:8080; required");
ABSL_FLAG(std::string, host, "", "Host header; default: the target");
ABSL_FLAG(std::string, path, "/", "path of the requests");
ABSL_FLAG(int32_t, expect_status, 200, "the status that counts as success");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(10), "of a request, from the moment when it was due");
ABSL_FLAG(absl::Duration, duration, absl::ZeroDuration(), "how long new requests are sent, like 30s");
ABSL_FLAG(absl::Duration, warm_up, absl::ZeroDuration(), "of the duration: latencies count from then on");
ABSL_FLAG(double, rate, 0, "open loop: requests per second");
ABSL_FLAG(std::string, schedule, "",
          "open loop: file of 'seconds,requests_per_second', instead of --rate and --duration");
ABSL_FLAG(std::string, spacing, "poisson", "open loop: poisson or uniform");
ABSL_FLAG(uint32_t, seed, 1, "of everything random");
ABSL_FLAG(bool, closed, false, "closed loop: each client sends when it has its answer");
ABSL_FLAG(uint64_t, requests, 0, "closed loop: stop after so many; 0: no such limit");
ABSL_FLAG(uint32_t, connections, 0, "keep-alive clients; at most (open loop, default 1024) or exactly (closed, 64)");
ABSL_FLAG(double, new_connections, 0, "share of requests with a connection of their own, from 0 to 1");
ABSL_FLAG(double, slow_share, 0, "share of requests that ask the origin for --slow-latency");
ABSL_FLAG(absl::Duration, slow_latency, absl::Seconds(1), "see --slow-share");
ABSL_FLAG(double, upload_share, 0, "share of requests that are uploads");
ABSL_FLAG(uint32_t, upload_bytes, 65536, "size of an upload");
ABSL_FLAG(std::string, upload_method, "POST", "method of an upload");
ABSL_FLAG(bool, upload_chunked, false, "send uploads in chunks instead of with their length");
ABSL_FLAG(absl::Duration, upload_duration, absl::ZeroDuration(), "send an upload in pieces over this time");
ABSL_FLAG(bool, tcp_echo, false, "no HTTP: send --payload-bytes and expect them back");
ABSL_FLAG(uint32_t, payload_bytes, 34, "see --tcp-echo");
ABSL_FLAG(absl::Duration, interval, absl::Seconds(1), "between two lines of the report; 0: only the summary");
ABSL_FLAG(std::string, report, "", "file for the report; default: standard output");
ABSL_FLAG(bool, fail_on_error, false, "exit status 1 if a request failed");

namespace fairlead::generator {
namespace {

constexpr std::string_view kUsage =
    "fairlead-load --target ADDRESS (--rate N --duration 30s | --schedule FILE | --closed --duration 30s) ...\n"
    "The report is a line of JSON for each interval and one for the whole. Latency counts from the moment when a "
    "request "
    "was due. Failed is every request without the origin's own whole answer (status, X-Origin).";

config::Endpoint target_address() {
  std::string text = absl::GetFlag(FLAGS_target);
  if (text.empty()) base::usage_error("--target", fmt::format("is required. {}", kUsage.substr(0, kUsage.find('\n'))));
  absl::StatusOr<config::Endpoint> endpoint = config::Endpoint::parse(text);
  if (!endpoint.ok()) base::usage_error("--target", std::string(endpoint.status().message()));
  return *endpoint;
}

runtime::Duration positive(std::string_view flag, absl::Duration value) {
  if (value <= absl::ZeroDuration()) base::usage_error(flag, "must be greater than 0, like 30s");
  return absl::ToChronoNanoseconds(value);
}

Target target_from_flags() {
  std::string host = absl::GetFlag(FLAGS_host);
  return Target{.address = target_address(),
                .host = host.empty() ? absl::GetFlag(FLAGS_target) : host,
                .path = absl::GetFlag(FLAGS_path),
                .expected_status = absl::GetFlag(FLAGS_expect_status),
                .timeout = positive("--timeout", absl::GetFlag(FLAGS_timeout)),
                .slow_latency = absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_slow_latency)),
                .upload_bytes = absl::GetFlag(FLAGS_upload_bytes),
                .upload_method = absl::GetFlag(FLAGS_upload_method),
                .upload_chunked = absl::GetFlag(FLAGS_upload_chunked),
                .upload_duration = absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_upload_duration)),
                .tcp_echo = absl::GetFlag(FLAGS_tcp_echo),
                .payload_bytes = absl::GetFlag(FLAGS_payload_bytes)};
}

Schedule schedule_from_flags() {
  std::string path = absl::GetFlag(FLAGS_schedule);
  if (path.empty()) {
    if (absl::GetFlag(FLAGS_rate) <= 0) base::usage_error("--rate", "or --schedule or --closed is required");
    return Schedule::constant(
        absl::GetFlag(FLAGS_rate),
        absl::ToDoubleSeconds(absl::FromChrono(positive("--duration", absl::GetFlag(FLAGS_duration)))));
  }
  absl::StatusOr<Schedule> schedule = Schedule::read(path);
  if (!schedule.ok()) base::usage_error("--schedule", std::string(schedule.status().message()));
  return *std::move(schedule);
}

Spacing spacing_from_flags() {
  std::string text = absl::GetFlag(FLAGS_spacing);
  if (text == "poisson") return Spacing::kPoisson;
  if (text == "uniform") return Spacing::kUniform;
  base::usage_error("--spacing", fmt::format("'{}' is neither poisson nor uniform", text));
}

Mix mix_from_flags() {
  return {.new_connections = absl::GetFlag(FLAGS_new_connections),
          .slow = absl::GetFlag(FLAGS_slow_share),
          .uploads = absl::GetFlag(FLAGS_upload_share)};
}

OpenLoad::Settings open_settings() {
  size_t connections = absl::GetFlag(FLAGS_connections);
  return {.schedule = schedule_from_flags(),
          .spacing = spacing_from_flags(),
          .mix = mix_from_flags(),
          .connections = connections == 0 ? 1024 : connections,
          .seed = absl::GetFlag(FLAGS_seed)};
}

ClosedLoad::Settings closed_settings() {
  uint64_t requests = absl::GetFlag(FLAGS_requests);
  absl::Duration duration = absl::GetFlag(FLAGS_duration);
  if (requests == 0 && duration <= absl::ZeroDuration()) {
    base::usage_error("--closed", "needs --duration or --requests");
  }
  size_t connections = absl::GetFlag(FLAGS_connections);
  return {.connections = connections == 0 ? 64 : connections,
          .requests = requests == 0 ? UINT64_MAX : requests,
          .duration = absl::ToChronoNanoseconds(duration),
          .mix = mix_from_flags(),
          .seed = absl::GetFlag(FLAGS_seed)};
}

// Lines of JSON, each whole at once.
class Report {
 public:
  explicit Report(const std::string& path) : file_(path.empty() ? stdout : std::fopen(path.c_str(), "w")) {
    if (!file_) base::usage_error("--report", fmt::format("{} cannot be written", path));
  }
  void write(const std::string& line) {
    fmt::print(file_, "{}\n", line);
    std::fflush(file_);
  }

 private:
  std::FILE* file_;
};

runtime::Task<void> run_and_mark(runtime::Task<void> load, bool& done) {
  co_await load;
  done = true;
}

// A run of either kind, turn by turn, with its report.
class Run {
 public:
  Run()
      : report_(absl::GetFlag(FLAGS_report)),
        interval_(absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_interval))),
        loop_(driver_),
        signals_(driver_),
        target_(target_from_flags()),
        clients_(loop_, target_),
        results_(loop_.now(), absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_warm_up))) {}

  int open() {
    OpenLoad::Settings settings = open_settings();
    OpenLoad load(clients_, results_, settings);
    return run_loop(load, load.run());
  }
  int closed() {
    ClosedLoad::Settings settings = closed_settings();
    ClosedLoad load(clients_, results_, settings);
    return run_loop(load, load.run());
  }

 private:
  template <typename Load>
  int run_loop(Load& load, runtime::Task<void> task) {
    bool done = false;
    runtime::Scope scope(loop_);
    scope.spawn(run_and_mark(std::move(task), done));
    IntervalTimer timer(*this, rate_of(load));
    while (!done) {
      loop_.turn();
      if (signals_.count() > 0) load.stop();
      if (signals_.count() > 1) std::_Exit(1);
    }
    report_.write(results_.summary(loop_.now(), clients_));
    return absl::GetFlag(FLAGS_fail_on_error) && results_.failed() > 0 ? 1 : 0;
  }
  static std::function<double()> rate_of(const OpenLoad& load) {
    return [&load] { return load.rate_now(); };
  }
  static std::function<double()> rate_of(const ClosedLoad&) {
    return [] { return 0.0; };
  }

  // Writes a line of the report at the end of each interval.
  class IntervalTimer : runtime::Timer {
   public:
    IntervalTimer(Run& run, std::function<double()> rate)
        : Timer(&IntervalTimer::on_fire), run_(run), rate_(std::move(rate)), next_(run.loop_.now()) {
      schedule();
    }

   private:
    static void on_fire(Timer& timer) {
      auto& self = static_cast<IntervalTimer&>(timer);
      self.run_.report_.write(self.run_.results_.end_interval(self.run_.loop_.now(), self.rate_()));
      self.schedule();
    }
    void schedule() {
      if (run_.interval_ <= runtime::Duration::zero()) return;
      next_ += run_.interval_;
      run_.loop_.timers().schedule(*this, next_);
    }
    Run& run_;
    std::function<double()> rate_;
    runtime::TimePoint next_;
  };

  Report report_;
  runtime::Duration interval_;
  runtime::EpollDriver driver_;
  runtime::Loop loop_;
  program::StopSignals signals_;
  Target target_;
  Clients clients_;
  Results results_;
};

}  // namespace
}  // namespace fairlead::generator

int main(int argc, char** argv) {
  fairlead::base::parse_command_line(argc, argv, __FILE__, fairlead::generator::kUsage);
  fairlead::base::raise_descriptor_limit();
  auto run = std::make_unique<fairlead::generator::Run>();
  return absl::GetFlag(FLAGS_closed) ? run->closed() : run->open();
}
