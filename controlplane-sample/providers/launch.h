// The start and the end of one server's process, as stories that block; each wait ends early when `interrupt` happens.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "providers/process.h"
#include "providers/state_directory.h"

namespace fairlead::providers {

struct LaunchOptions {
  // {ready_file} and {name} are replaced.
  std::string command = "fairlead-origin --listen 127.0.0.1:0 --ready-file {ready_file}";
  // Answers 200 when it serves. Empty: the ready file is enough.
  std::string health_path = "/healthz";
  // From the start until it serves.
  absl::Duration start_timeout = absl::Seconds(30);
  // From SIGTERM until SIGKILL.
  absl::Duration stop_timeout = absl::Seconds(10);
};

struct Launched {
  Process process;
  std::string address;
};

// Starts the process, waits for its ready file, then until it answers. On failure the process is dead and forgotten,
// and only its log is left.
absl::StatusOr<Launched> launch(const LaunchOptions& options, const StateDirectory& state, const std::string& name,
                                const Descriptor& interrupt);

// SIGTERM, after a deadline SIGKILL; returns when it has ended.
void terminate(const LaunchOptions& options, const Process& process);

}  // namespace fairlead::providers
