// Processes of this machine, also those that an earlier life of this program started.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "providers/descriptor.h"

namespace fairlead::providers {

// A pid alone may be taken by another process later; with its start time (ticks since boot) it names one for ever.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start = 0;

  bool operator==(const ProcessId&) const = default;
};

// Owns the descriptor, not the process: that goes on when this is destroyed.
class Process {
 public:
  // In a session of its own, so that a terminal's interrupt does not reach it; output goes to `log`, which is
  // overwritten.
  static absl::StatusOr<Process> spawn(const std::vector<std::string>& words, const std::string& log);
  // Nothing where it does not live.
  static std::optional<Process> find(ProcessId id);

  const ProcessId& id() const { return id_; }
  // Readable when it has ended.
  int ended() const { return pidfd_.get(); }
  void send_signal(int number) const;
  // After it has ended: "exit status 1", "signal 9"; "ended" where it was not our child. Frees its entry.
  std::string reap() const;

 private:
  Process(ProcessId id, Descriptor pidfd) : id_(id), pidfd_(std::move(pidfd)) {}

  ProcessId id_;
  Descriptor pidfd_;
};

}  // namespace fairlead::providers
