// fairlead: the data plane. Parses flags, builds the server, runs it until it is told to end.
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "absl/flags/flag.h"
#include "base/command_line.h"
#include "server/data_plane.h"
#include "server/journal_commands.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, config, "", "the configuration file (YAML); without it the data plane starts empty");
ABSL_FLAG(bool, check, false, "only check the configuration file, and say what is wrong with line and field");
ABSL_FLAG(bool, takeover, false,
          "take over from the process that runs with this state_directory, without a gap; without one, just start");
ABSL_FLAG(std::string, ready_file, "", "where to write all bound addresses, as JSON, once it serves");

ABSL_FLAG(bool, reseed, false,
          "take the configuration file's resources, whatever the state directory holds: that begins anew");

namespace fairlead {
namespace {

// How the main thread is told that another process has taken over.
constexpr int kTakenOver = SIGUSR2;

int fail(const absl::Status& status) {
  std::fprintf(stderr, "fairlead: %s\n", std::string(status.message()).c_str());
  return 1;
}

// Standard output is the access log's, where that is asked for.
void log_to_standard_error() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("fairlead"));
  spdlog::set_pattern("[%Y-%m-%d %H:%M:%S.%e] [%^%l%$] %v");
}

// Blocked in all threads, so that this one can wait for them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, kTakenOver}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

void wait_for_the_end(const sigset_t& signals, server::DataPlane& data_plane) {
  int signal = 0;
  while (true) {
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal == SIGHUP) data_plane.reopen_files();
    if (signal == SIGTERM || signal == SIGINT) return spdlog::info("signal {}: finishing", strsignal(signal));
    // Anybody may send it; it means something only where it is true.
    if (signal == kTakenOver && data_plane.is_taken_over()) return spdlog::info("another process serves: finishing");
  }
}

std::string main_process_and_ready() {
  std::string ready = "READY=1";
  if (absl::GetFlag(FLAGS_takeover)) ready = "MAINPID=" + std::to_string(getpid()) + "\n" + ready;
  return ready;
}

int run() {
  if (absl::GetFlag(FLAGS_check) && absl::GetFlag(FLAGS_config).empty()) {
    base::usage_error("--check", "needs a file to check: --config fairlead.yaml");
  }
  if (absl::GetFlag(FLAGS_takeover) && absl::GetFlag(FLAGS_reseed)) {
    base::usage_error("--takeover", "keeps the state that there is, and --reseed begins anew; choose one");
  }
  absl::StatusOr<server::ConfigurationFile> file = server::default_configuration();
  if (!absl::GetFlag(FLAGS_config).empty()) file = server::read_configuration_file(absl::GetFlag(FLAGS_config));
  if (!file.ok()) return fail(file.status());
  if (absl::GetFlag(FLAGS_check)) {
    spdlog::set_level(spdlog::level::off);  // nothing is accepted here
    if (absl::Status valid = server::check_resources(*file); !valid.ok()) return fail(valid);
    if (auto files = server::load_credentials(*file); !files.ok()) return fail(files.status());
    std::printf("%s is valid\n", absl::GetFlag(FLAGS_config).c_str());
    return 0;
  }
  log_to_standard_error();
  sigset_t signals = block_signals();
  auto data_plane = server::DataPlane::start(*file, {.reseed = absl::GetFlag(FLAGS_reseed),
                                                     .takeover = absl::GetFlag(FLAGS_takeover),
                                                     .on_taken_over = [] { kill(getpid(), kTakenOver); }});
  if (!data_plane.ok()) return fail(data_plane.status());
  if (std::string path = absl::GetFlag(FLAGS_ready_file); !path.empty()) {
    absl::Status written = server::write_ready_file(path, (*data_plane)->bound_addresses());
    // After a takeover this process is the only one, and whoever waits for the file is told by the log.
    if (!written.ok() && !absl::GetFlag(FLAGS_takeover)) return fail(written);
    if (!written.ok()) spdlog::error("--ready-file: {}", std::string(written.message()));
  }
  if (absl::Status status = (*data_plane)->give_up_root(); !status.ok()) return fail(status);
  // After a takeover systemd watched another process until now.
  sd_notify(0, main_process_and_ready().c_str());
  wait_for_the_end(signals, **data_plane);
  if (!(*data_plane)->is_taken_over()) sd_notify(0, "STOPPING=1");
  (*data_plane)->stop();
  spdlog::info("ended");
  return 0;
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "journal") {
    return fairlead::server::run_journal_command(std::span(argv + 2, argv + argc));
  }
  fairlead::base::parse_command_line(argc, argv, __FILE__,
                                     "fairlead [--config fairlead.yaml] [--takeover] [--ready-file PATH]\n"
                                     "fairlead journal verify|export FILE|DIR\n"
                                     "The data plane of Fairlead. --check says what is wrong with a configuration.");
  fairlead::base::raise_descriptor_limit();
  return fairlead::run();
}
