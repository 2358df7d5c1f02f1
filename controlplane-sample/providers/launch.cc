#include "providers/launch.h"

#include <sys/inotify.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "providers/command_line.h"
#include "providers/http_probe.h"

namespace fairlead::providers {
namespace {

// Tells when files of a directory were written or renamed.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(const std::string& directory) : inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    if (inotify_.valid()) inotify_add_watch(inotify_.get(), directory.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO);
  }

  // -1 where the system has no watch left (there is a limit for each user).
  int changed() const { return inotify_.get(); }
  void clear() const {
    char events[4096];
    while (read(inotify_.get(), events, sizeof(events)) > 0) {
    }
  }
  // How long to trust it: not for ever even where it works, as the directory may be on a file system that tells
  // nothing.
  absl::Duration patience() const { return inotify_.valid() ? absl::Seconds(1) : absl::Milliseconds(50); }

 private:
  Descriptor inotify_;
};

// The two things that end every wait, beside its deadline.
struct Ends {
  const Process& process;
  const Descriptor& interrupt;
  absl::Time deadline;
};

// Waits until `fd` can be read, `patience` is over, or one of the ends, which is an error.
absl::Status wait_or_end(const Ends& ends, int fd, absl::Duration patience) {
  const absl::Time until = std::min(ends.deadline, absl::Now() + patience);
  const int ready = wait_readable({ends.interrupt.get(), ends.process.ended(), fd}, until);
  if (ready == 0) return absl::CancelledError("interrupted");
  if (ready == 1) return absl::UnavailableError(absl::StrCat("its process ended: ", ends.process.reap()));
  if (absl::Now() >= ends.deadline) return absl::DeadlineExceededError("not ready in time");
  return absl::OkStatus();
}

absl::StatusOr<std::string> await_ready_file(const Ends& ends, const DirectoryWatch& watch, const std::string& path) {
  while (true) {
    watch.clear();
    absl::StatusOr<std::string> address = parse_ready_file(read_file(path));
    // What is only half written is read again.
    if (address.ok()) return address;
    if (absl::Status status = wait_or_end(ends, watch.changed(), watch.patience()); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat(status.message(), ", waiting for ", path));
    }
  }
}

absl::Status await_answer(const Ends& ends, const std::string& address, const std::string& path) {
  absl::Duration wait = absl::Milliseconds(5);
  while (true) {
    const absl::Time deadline = std::min(ends.deadline, absl::Now() + absl::Seconds(1));
    absl::Status answer = probe_http(address, path, deadline);
    if (answer.ok()) return answer;
    if (absl::Status status = wait_or_end(ends, -1, wait); !status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat(status.message(), ", waiting for ", address, path, ": ", answer.message()));
    }
    wait = std::min(wait * 2, absl::Milliseconds(200));
  }
}

absl::StatusOr<std::string> await_serving(const LaunchOptions& options, const Ends& ends, const DirectoryWatch& watch,
                                          const std::string& ready_file) {
  absl::StatusOr<std::string> address = await_ready_file(ends, watch, ready_file);
  if (!address.ok() || options.health_path.empty()) return address;
  if (absl::Status status = await_answer(ends, *address, options.health_path); !status.ok()) return status;
  return address;
}

absl::Status kill_and_forget(const Process& process, const StateDirectory& state, const std::string& name,
                             const absl::Status& why) {
  process.send_signal(SIGKILL);
  wait_readable({process.ended()}, absl::InfiniteFuture());
  process.reap();
  state.remove(name, false);
  return absl::Status(why.code(), absl::StrCat(why.message(), "; its output is in ", state.log_file(name)));
}

}  // namespace

absl::StatusOr<Launched> launch(const LaunchOptions& options, const StateDirectory& state, const std::string& name,
                                const Descriptor& interrupt) {
  const std::string ready_file = state.ready_file(name);
  const auto words = expand_command(options.command, {{"name", name}, {"ready_file", ready_file}});
  if (!words.ok()) return words.status();
  // Before the start, so that nothing is missed.
  const DirectoryWatch watch(state.servers());
  absl::StatusOr<Process> process = Process::spawn(*words, state.log_file(name));
  if (!process.ok()) return process.status();
  Record record{.name = name, .process = process->id(), .address = ""};
  if (absl::Status status = state.write(record); !status.ok()) return kill_and_forget(*process, state, name, status);
  const Ends ends{*process, interrupt, absl::Now() + options.start_timeout};
  absl::StatusOr<std::string> address = await_serving(options, ends, watch, ready_file);
  if (!address.ok()) return kill_and_forget(*process, state, name, address.status());
  record.address = *address;
  if (absl::Status status = state.write(record); !status.ok()) return kill_and_forget(*process, state, name, status);
  return Launched{*std::move(process), *std::move(address)};
}

void terminate(const LaunchOptions& options, const Process& process) {
  process.send_signal(SIGTERM);
  if (wait_readable({process.ended()}, absl::Now() + options.stop_timeout) < 0) {
    process.send_signal(SIGKILL);
    wait_readable({process.ended()}, absl::InfiniteFuture());
  }
  process.reap();
}

}  // namespace fairlead::providers
