// fairlead-origin: a backend for demonstrations, tests and benchmarks, whose behaviour is set by flags.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "base/command_line.h"
#include "base/ready_file.h"
#include "fmt/format.h"
#include "net/socket.h"
#include "origin/origin.h"
#include "program/stop_signals.h"
#include "runtime/epoll_driver.h"

ABSL_FLAG(std::vector<std::string>, listen, {"127.0.0.1:0"}, "addresses, separated by commas; port 0 takes a free one");
ABSL_FLAG(std::string, name, "", "sent as X-Origin with each response; default: the first address");
ABSL_FLAG(std::string, ready_file, "", "written when it serves: {\"listen\":\"127.0.0.1:PORT\",\"pid\":N}");
ABSL_FLAG(std::string, summary, "", "written at the end: {\"most_in_flight\":N}");
ABSL_FLAG(absl::Duration, latency, absl::ZeroDuration(), "how long serving a request takes, like 20ms");
ABSL_FLAG(std::string, latency_distribution, "fixed", "fixed, or exponential with --latency as mean");
ABSL_FLAG(uint32_t, concurrency, 0, "requests served at once, others wait; 0: no limit");
ABSL_FLAG(uint32_t, body_bytes, 34, "size of a response's body");
ABSL_FLAG(bool, chunked, false, "send the body in chunks instead of with its length");
ABSL_FLAG(double, error_share, 0, "share of requests answered with 500, from 0 to 1");
ABSL_FLAG(double, reset_share, 0, "share of requests answered with a reset, from 0 to 1");
ABSL_FLAG(std::string, health_path, "/healthz", "answered at once, whatever the load");
ABSL_FLAG(bool, tcp_echo, false, "no HTTP: send back what comes");

namespace fairlead::origin {
namespace {

constexpr std::string_view kUsage =
    "fairlead-origin [--listen ADDRESS] [--latency 20ms] [--concurrency N] ...\n"
    "Answers every request with 200. A request may override the latency with the query latency_ms=N. SIGTERM finishes "
    "what is being served, then exits.";

std::string text_of(const absl::Status& status) { return std::string(status.message()); }

LatencyShape latency_shape() {
  std::string text = absl::GetFlag(FLAGS_latency_distribution);
  if (text == "fixed") return LatencyShape::kFixed;
  if (text == "exponential") return LatencyShape::kExponential;
  base::usage_error("--latency-distribution", fmt::format("'{}' is neither fixed nor exponential", text));
}

double share(std::string_view flag, double value) {
  if (value >= 0 && value <= 1) return value;
  base::usage_error(flag, fmt::format("{} is out of range [0, 1]", value));
}

std::vector<int> listening_sockets() {
  std::vector<int> sockets;
  for (const std::string& text : absl::GetFlag(FLAGS_listen)) {
    absl::StatusOr<config::Endpoint> endpoint = config::Endpoint::parse(text);
    if (!endpoint.ok()) base::usage_error("--listen", text_of(endpoint.status()));
    absl::StatusOr<int> socket = net::listen_on(*endpoint);
    if (!socket.ok()) base::usage_error("--listen", text_of(socket.status()));
    sockets.push_back(*socket);
  }
  return sockets;
}

Settings settings_from_flags(const std::string& default_name) {
  std::string name = absl::GetFlag(FLAGS_name);
  return Settings{.name = name.empty() ? default_name : name,
                  .latency = absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_latency)),
                  .latency_shape = latency_shape(),
                  .concurrency = absl::GetFlag(FLAGS_concurrency),
                  .body_bytes = absl::GetFlag(FLAGS_body_bytes),
                  .chunked = absl::GetFlag(FLAGS_chunked),
                  .error_share = share("--error-share", absl::GetFlag(FLAGS_error_share)),
                  .reset_share = share("--reset-share", absl::GetFlag(FLAGS_reset_share)),
                  .health_path = absl::GetFlag(FLAGS_health_path),
                  .tcp_echo = absl::GetFlag(FLAGS_tcp_echo)};
}

void announce(const std::string& address) {
  std::string content = fmt::format("{{\"listen\":{},\"pid\":{}}}\n", base::json_string(address), getpid());
  std::string path = absl::GetFlag(FLAGS_ready_file);
  if (path.empty()) {
    std::fputs(content.c_str(), stdout);
    std::fflush(stdout);
    return;
  }
  absl::Status written = base::write_ready_file(path, content);
  if (!written.ok()) base::usage_error("--ready-file", text_of(written));
}

int run() {
  base::raise_descriptor_limit();
  std::vector<int> sockets = listening_sockets();
  std::string address = net::bound_address(sockets.front()).to_string();
  Settings settings = settings_from_flags(address);

  runtime::EpollDriver driver;
  runtime::Loop loop(driver);
  program::StopSignals signals(driver);
  Origin origin(loop, settings);
  for (int socket : sockets) origin.listen(socket);
  announce(address);
  while (!origin.is_finished()) {
    loop.turn();
    if (signals.count() > 0) origin.stop();
    if (signals.count() > 1) return 1;
  }
  if (std::string path = absl::GetFlag(FLAGS_summary); !path.empty()) {
    absl::Status written =
        base::write_ready_file(path, fmt::format("{{\"most_in_flight\":{}}}\n", origin.most_in_flight()));
    if (!written.ok()) base::usage_error("--summary", text_of(written));
  }
  return 0;
}

}  // namespace
}  // namespace fairlead::origin

int main(int argc, char** argv) {
  fairlead::base::parse_command_line(argc, argv, __FILE__, fairlead::origin::kUsage);
  return fairlead::origin::run();
}
