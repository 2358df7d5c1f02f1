// fairlead: the data plane. Parses flags, builds the server, runs it until it is told to end.
#include <systemd/sd-daemon.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "base/version.h"
#include "server/data_plane.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, config, "", "the configuration file (YAML); without it the data plane starts empty");
ABSL_FLAG(bool, check, false, "only check the configuration file, and say what is wrong with line and field");
ABSL_FLAG(std::string, ready_file, "", "where to write all bound addresses, as JSON, once it serves");
ABSL_FLAG(bool, print_version, false, "print the version and exit");

namespace fairlead {
namespace {

// --ready-file is --ready_file.
std::vector<std::string> with_underscores(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  for (std::string& argument : arguments) {
    if (!argument.starts_with("--")) continue;
    for (size_t i = 2; i < argument.size() && argument[i] != '='; ++i) {
      if (argument[i] == '-') argument[i] = '_';
    }
    if (argument == "--version") argument = "--print_version";
  }
  return arguments;
}

int fail(const absl::Status& status) {
  std::fprintf(stderr, "fairlead: %s\n", std::string(status.message()).c_str());
  return 1;
}

// Blocked in all threads, so that this one can wait for them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

void wait_for_the_end(const sigset_t& signals, server::DataPlane& data_plane) {
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) data_plane.reopen_logs();
  spdlog::info("signal {}: finishing", strsignal(signal));
}

int run() {
  absl::StatusOr<server::ConfigurationFile> file = server::default_configuration();
  if (!absl::GetFlag(FLAGS_config).empty()) file = server::read_configuration_file(absl::GetFlag(FLAGS_config));
  if (!file.ok()) return fail(file.status());
  if (absl::GetFlag(FLAGS_check)) {
    if (absl::Status valid = server::check_resources(*file); !valid.ok()) return fail(valid);
    std::printf("%s is valid\n", absl::GetFlag(FLAGS_config).c_str());
    return 0;
  }
  sigset_t signals = block_signals();
  auto data_plane = server::DataPlane::start(*file);
  if (!data_plane.ok()) return fail(data_plane.status());
  if (std::string path = absl::GetFlag(FLAGS_ready_file); !path.empty()) {
    absl::Status written = server::write_ready_file(path, (*data_plane)->bound_addresses());
    if (!written.ok()) return fail(written);
  }
  sd_notify(0, "READY=1");
  wait_for_the_end(signals, **data_plane);
  sd_notify(0, "STOPPING=1");
  (*data_plane)->stop();
  spdlog::info("ended");
  return 0;
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "the data plane of Fairlead\n\n  fairlead --config fairlead.yaml [--ready-file PATH]\n"
      "  fairlead --check --config fairlead.yaml\n");
  absl::FlagsUsageConfig help;
  // --help shows the flags of this file, not those of libraries.
  help.contains_help_flags = [](absl::string_view file) { return absl::EndsWith(file, "dataplane/main.cc"); };
  absl::SetFlagsUsageConfig(help);
  std::vector<std::string> arguments = fairlead::with_underscores(argc, argv);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  auto rest = absl::ParseCommandLine(static_cast<int>(pointers.size()), pointers.data());
  if (rest.size() > 1) {
    std::fprintf(stderr, "fairlead: unexpected argument \"%s\": see fairlead --help\n", rest[1]);
    return 2;
  }
  if (absl::GetFlag(FLAGS_print_version)) {
    std::printf("fairlead %s\n", fairlead::base::kVersion);
    return 0;
  }
  return fairlead::run();
}
