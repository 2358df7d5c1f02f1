// fairlead-autoscaler: keeps the requests in flight for each server of one backend at a target, by starting servers and
// adding them to data planes, and by draining, deleting and stopping them; or keeps data planes equal to a file.
#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "control/arguments.h"
#include "control/autoscaler.h"
#include "mirror/keeper.h"
#include "session/election.h"

ABSL_FLAG(std::vector<std::string>, dataplane, {},
          "Management address of a data plane, unix:/path or host:port. May be repeated.");
ABSL_FLAG(
    std::string, tls_ca, "",
    "Speak TLS at host:port, and believe data planes whose certificate this CA has signed (PEM). The file and the "
    "next two are looked at again every 5 s.");
ABSL_FLAG(std::string, tls_cert, "", "The certificate that this program shows (PEM, with its chain).");
ABSL_FLAG(std::string, tls_key, "", "Its private key (PEM, not encrypted).");
ABSL_FLAG(std::string, tls_server_name, "",
          "The name that the data planes' certificates have to have. Default: the host of the address.");
ABSL_FLAG(
    std::string, source, "load",
    "What the data planes are given. load: servers that this program starts, as many as the load asks for. file: the "
    "resources of --file, all of them and nothing else.");
ABSL_FLAG(std::string, file, "",
          "With --source=file: YAML with listeners, backends, servers and certificates, as in a data plane's "
          "configuration file. It is "
          "watched; while it does not parse, the last good one counts.");
ABSL_FLAG(int, max_removal_percent, 50,
          "With --source=file: most that one change may remove of a backend's servers, of the backends, listeners, "
          "certificates. "
          "1 to 100.");
ABSL_FLAG(
    bool, once, false,
    "With --source=file: end with status 0 as soon as the digests of all data planes are the file's, with 1 where "
    "that fails.");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(30), "With --once: how long it may take. 100ms to 1h.");
ABSL_FLAG(
    std::string, election_id, "",
    "Of several control planes the one with the highest is primary. \"high:low\" or one number. Default: the time of "
    "the start in milliseconds, so that the one which started last wins.");
ABSL_FLAG(bool, exit_when_superseded, false,
          "End with status 3 when a newer control plane is primary on a data plane. Otherwise stand by: look on, write "
          "nothing, and act again when that data plane has lost its state.");
ABSL_FLAG(std::string, backend, "", "The backend to scale; must exist on the data planes.");
ABSL_FLAG(double, target_in_flight, 10, "Requests in flight that one server should have. Above 0.");
ABSL_FLAG(double, tolerance, 0.1, "Nothing changes while the load is within this share of the target. 0 to below 1.");
ABSL_FLAG(int, min, 1, "Fewest servers, at least 1.");
ABSL_FLAG(int, max, 10, "Most servers.");
ABSL_FLAG(absl::Duration, interval, absl::Milliseconds(500), "Between two statistics, and two decisions. 10ms to 1h.");
ABSL_FLAG(absl::Duration, load_window, absl::Seconds(3),
          "The load is the plain average of the samples of this window, for each data plane, then summed.");
ABSL_FLAG(absl::Duration, load_memory, absl::Seconds(30),
          "How long the last known load of a data plane out of reach still counts.");
ABSL_FLAG(absl::Duration, down_window, absl::Minutes(5),
          "Before servers go, the highest recommendation of this window counts.");
ABSL_FLAG(std::string, scale_up_limit, "4,100%/15s",
          "Most that may be added in a period: servers, percent, or both (the larger counts); or none.");
ABSL_FLAG(std::string, scale_down_limit, "100%/15s", "Most that may go in a period; as scale_up_limit.");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(30),
          "How long a server on its way out may finish what it has; the rest is cut off.");
ABSL_FLAG(absl::Duration, lost_grace, absl::Minutes(1),
          "How long a server on its way out waits for a data plane that is out of reach.");
ABSL_FLAG(absl::Duration, startup_grace, absl::Seconds(5),
          "How long the start waits for data planes that do not answer, once one did.");
ABSL_FLAG(absl::Duration, refresh, absl::Seconds(2),
          "How often the servers of a data plane (with --source=file: its digest) are read again.");
ABSL_FLAG(
    std::string, origin_command, fairlead::providers::LaunchOptions().command,
    "Starts a server. Split at spaces, without a shell; {ready_file} and {name} are replaced. It must write a JSON "
    "object with \"listen\" (its address) to the ready file, and end on SIGTERM.");
ABSL_FLAG(std::string, health_path, "/healthz",
          "A server is added when GET of this path answers 200. Empty: when its ready file is there.");
ABSL_FLAG(absl::Duration, start_timeout, absl::Seconds(30), "From a server's start until it serves.");
ABSL_FLAG(absl::Duration, stop_timeout, absl::Seconds(10), "From SIGTERM until SIGKILL.");
ABSL_FLAG(std::string, state_directory, "", "Where the running processes are remembered. One for each autoscaler.");
ABSL_FLAG(std::string, events, "", "File to which events are appended as JSON lines.");
ABSL_FLAG(std::string, metrics, "", "File that is rewritten every second with metrics in the Prometheus text format.");
ABSL_FLAG(
    bool, stop_servers_on_exit, false,
    "On SIGTERM and SIGINT delete all servers without a drain and stop their processes. Otherwise they go on, and "
    "the next start with this state directory takes them over.");

namespace fairlead {
namespace {

constexpr char kUsage[] =
    "scales the servers of one backend by the load that the data planes report, or keeps data planes equal to a "
    "file.\n\n"
    "  fairlead-autoscaler --dataplane unix:/run/fairlead/management.sock --backend app \\\n"
    "      --state-directory /var/lib/fairlead-autoscaler --target-in-flight 10 --min 2 --max 20\n"
    "  fairlead-autoscaler --source file --file servers.yaml --dataplane unix:/run/a.sock --dataplane "
    "unix:/run/b.sock\n\n"
    "Flags may be spelled with dashes or with underscores.";

// "flag: why".
absl::StatusOr<scaling::ChangeLimit> limit_flag(const char* name, const std::string& text) {
  absl::StatusOr<scaling::ChangeLimit> limit = scaling::parse_change_limit(text);
  if (limit.ok()) return limit;
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", limit.status().message()));
}

absl::StatusOr<session::ElectionId> election_id_flag() {
  const std::string text = absl::GetFlag(FLAGS_election_id);
  if (text.empty()) return session::election_id_of_start(absl::Now());
  absl::StatusOr<session::ElectionId> id = session::parse_election_id(text);
  if (id.ok()) return id;
  return absl::InvalidArgumentError(absl::StrCat("election_id: ", id.status().message()));
}

session::TlsFiles tls_from_flags() {
  return {.ca = absl::GetFlag(FLAGS_tls_ca),
          .certificate = absl::GetFlag(FLAGS_tls_cert),
          .key = absl::GetFlag(FLAGS_tls_key),
          .server_name = absl::GetFlag(FLAGS_tls_server_name)};
}

absl::StatusOr<control::AutoscalerOptions> options_from_flags() {
  const auto up = limit_flag("scale_up_limit", absl::GetFlag(FLAGS_scale_up_limit));
  if (!up.ok()) return up.status();
  const auto down = limit_flag("scale_down_limit", absl::GetFlag(FLAGS_scale_down_limit));
  if (!down.ok()) return down.status();
  const auto election_id = election_id_flag();
  if (!election_id.ok()) return election_id.status();
  control::AutoscalerOptions options;
  options.election_id = *election_id;
  options.exit_when_superseded = absl::GetFlag(FLAGS_exit_when_superseded);
  options.dataplanes = absl::GetFlag(FLAGS_dataplane);
  options.tls = tls_from_flags();
  options.backend = absl::GetFlag(FLAGS_backend);
  options.interval = absl::GetFlag(FLAGS_interval);
  options.refresh = absl::GetFlag(FLAGS_refresh);
  options.controller.policy = {.target = {.in_flight_per_server = absl::GetFlag(FLAGS_target_in_flight),
                                          .tolerance = absl::GetFlag(FLAGS_tolerance)},
                               .minimum = absl::GetFlag(FLAGS_min),
                               .maximum = absl::GetFlag(FLAGS_max),
                               .down_window = absl::GetFlag(FLAGS_down_window),
                               .up_limit = *up,
                               .down_limit = *down};
  options.controller.load = {.window = absl::GetFlag(FLAGS_load_window), .memory = absl::GetFlag(FLAGS_load_memory)};
  options.controller.fleet.drain_timeout = absl::GetFlag(FLAGS_drain_timeout);
  options.controller.fleet.lost_grace = absl::GetFlag(FLAGS_lost_grace);
  options.controller.startup_grace = absl::GetFlag(FLAGS_startup_grace);
  options.launch = {.command = absl::GetFlag(FLAGS_origin_command),
                    .health_path = absl::GetFlag(FLAGS_health_path),
                    .start_timeout = absl::GetFlag(FLAGS_start_timeout),
                    .stop_timeout = absl::GetFlag(FLAGS_stop_timeout)};
  options.state_directory = absl::GetFlag(FLAGS_state_directory);
  options.events_file = absl::GetFlag(FLAGS_events);
  options.metrics_file = absl::GetFlag(FLAGS_metrics);
  options.stop_servers_on_exit = absl::GetFlag(FLAGS_stop_servers_on_exit);
  return options;
}

absl::StatusOr<mirror::KeeperOptions> keeper_options_from_flags() {
  const auto election_id = election_id_flag();
  if (!election_id.ok()) return election_id.status();
  mirror::KeeperOptions options;
  options.dataplanes = absl::GetFlag(FLAGS_dataplane);
  options.tls = tls_from_flags();
  options.file = absl::GetFlag(FLAGS_file);
  options.mirror.election_id = *election_id;
  // (A negative number is out of range as well.)
  options.mirror.max_removal_percent = static_cast<unsigned>(absl::GetFlag(FLAGS_max_removal_percent));
  options.refresh = absl::GetFlag(FLAGS_refresh);
  options.once = absl::GetFlag(FLAGS_once);
  options.once_timeout = absl::GetFlag(FLAGS_timeout);
  options.exit_when_superseded = absl::GetFlag(FLAGS_exit_when_superseded);
  options.events_file = absl::GetFlag(FLAGS_events);
  return options;
}

void parse_flags(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig help;
  // --help shows the flags of this file, not those of libraries.
  help.contains_help_flags = [](absl::string_view file) { return absl::EndsWith(file, "controlplane-sample/main.cc"); };
  absl::SetFlagsUsageConfig(help);
  const std::vector<std::string> joined =
      control::join_repeated(control::with_underscores({argv, argv + argc}), "dataplane");
  std::vector<char*> arguments;
  for (const std::string& argument : joined) arguments.push_back(const_cast<char*>(argument.c_str()));
  const std::vector<char*> others = absl::ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
  if (others.size() <= 1) return;
  std::fprintf(stderr, "fairlead-autoscaler: \"%s\" is not a flag; see --help\n", others[1]);
  std::exit(2);
}

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Until it ends by itself or a signal ends it.
template <typename Program>
absl::Status run_until_signal(Program& program, const sigset_t& signals) {
  std::thread waiter([&] {
    int number = 0;
    sigwait(&signals, &number);
    program.stop();
  });
  const absl::Status status = program.run();
  // Where it ended without a signal, the waiter still waits for one. (It is blocked everywhere, so nobody is killed.)
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
  pthread_kill(waiter.native_handle(), SIGTERM);
  waiter.join();
  return status;
}

int end_with(const absl::Status& status, int failure) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "fairlead-autoscaler: %s\n", std::string(status.message()).c_str());
  return absl::IsAborted(status) ? 3 : failure;
}

template <typename Program, typename Options>
int run(const absl::StatusOr<Options>& options, const sigset_t& signals) {
  const absl::Status usage = options.ok() ? validate(*options) : options.status();
  if (!usage.ok()) return end_with(usage, 2);
  Program program(*options);
  return end_with(run_until_signal(program, signals), 1);
}

int main(int argc, char** argv) {
  // Before any thread is there, so that all inherit it and only the waiter takes them.
  const sigset_t signals = ending_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  parse_flags(argc, argv);
  const std::string source = absl::GetFlag(FLAGS_source);
  if (source != "file" && absl::GetFlag(FLAGS_once)) {
    return end_with(absl::InvalidArgumentError("--once: is for --source=file; other sources never come to an end"), 2);
  }
  if (source == "load") return run<control::Autoscaler>(options_from_flags(), signals);
  if (source == "file") return run<mirror::Keeper>(keeper_options_from_flags(), signals);
  return end_with(absl::InvalidArgumentError(absl::StrCat("source: \"", source, "\" is neither load nor file")), 2);
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) { return fairlead::main(argc, argv); }
