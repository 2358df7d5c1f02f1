#include "providers/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "providers/command_line.h"

namespace fairlead::providers {
namespace {

Descriptor open_pidfd(pid_t pid) { return Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

// Field 22 of /proc/PID/stat (see proc(5)); nothing for a process that is gone or a zombie.
std::optional<std::uint64_t> start_of(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  const std::string stat((std::istreambuf_iterator<char>(file)), {});
  // The second field is the program's name in parentheses and may contain anything.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(stat).substr(name_end + 1), ' ', absl::SkipEmpty());
  std::uint64_t start = 0;
  if (fields.size() < 20 || fields[0] == "Z" || !absl::SimpleAtoi(fields[19], &start)) return std::nullopt;
  return start;
}

// posix_spawn's two arguments beside the command, freed in the end.
class SpawnSettings {
 public:
  explicit SpawnSettings(const std::string& log) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
    // A server that outlives this program must not keep its lock or its sockets.
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes_, &all);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<Process> Process::spawn(const std::vector<std::string>& words, const std::string& log) {
  const SpawnSettings settings(log);
  const std::string program = find_program(words.front());
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, program.c_str(), settings.actions(), settings.attributes(), arguments.data(), environ);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("starting ", program));
  // A child keeps its pid until it is reaped, so this is it, dead or alive.
  Descriptor pidfd = open_pidfd(pid);
  if (!pidfd.valid()) return absl::ErrnoToStatus(errno, "pidfd_open");
  return Process({pid, start_of(pid).value_or(0)}, std::move(pidfd));
}

std::optional<Process> Process::find(ProcessId id) {
  if (id.pid <= 0) return std::nullopt;
  Descriptor pidfd = open_pidfd(id.pid);
  // Compared after the descriptor is open: from then on it means one process.
  if (!pidfd.valid() || start_of(id.pid) != id.start) return std::nullopt;
  return Process(id, std::move(pidfd));
}

void Process::send_signal(int number) const { syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0); }

std::string Process::reap() const {
  siginfo_t info = {};
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0) return "ended";
  if (info.si_code == CLD_EXITED) return absl::StrCat("exit status ", info.si_status);
  return absl::StrCat("signal ", info.si_status);
}

}  // namespace fairlead::providers
