#include "journal/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::journal {
namespace {

constexpr const char* kLock = "lock";

absl::Status refuse(const std::string& path, const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat("state_directory: ", path, " ", why));
}

absl::Status make_folder(const std::string& path) {
  struct stat found;
  if (stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return absl::OkStatus();
    return refuse(path, "is a file; it must be a folder");
  }
  if (errno == ENOTDIR) return refuse(path, "is below a file; it must be a folder");
  if (errno != ENOENT) return refuse(path, absl::StrCat("cannot be looked at: ", strerror(errno)));
  if (mkdir(path.c_str(), 0700) == 0) return absl::OkStatus();
  if (errno != ENOENT) return refuse(path, absl::StrCat("cannot be created: ", strerror(errno)));
  std::string parent = std::filesystem::path(path).parent_path().string();
  return refuse(path, absl::StrCat("cannot be created: ", parent, " does not exist; create that first"));
}

int read_holder(int lock) {
  char text[32] = {};
  if (pread(lock, text, sizeof text - 1, 0) <= 0) return -1;
  int pid = std::atoi(text);
  return pid > 0 ? pid : -1;
}

void write_holder(int lock) {
  std::string text = absl::StrCat(getpid(), "\n");
  // Only told to people: the lock is the lock.
  if (ftruncate(lock, 0) != 0 || pwrite(lock, text.data(), text.size(), 0) < 0) return;
}

}  // namespace

absl::StatusOr<StateDirectory> StateDirectory::open(const std::string& given) {
  std::string path = std::filesystem::path(given).lexically_normal().string();
  if (path.size() > 1 && path.back() == '/') path.pop_back();
  if (absl::Status made = make_folder(path); !made.ok()) return made;
  if (access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return refuse(path, absl::StrCat("cannot be written: ", strerror(errno)));
  }
  int lock = ::open(absl::StrCat(path, "/", kLock).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock < 0) return refuse(path, absl::StrCat("cannot be written: ", kLock, ": ", strerror(errno)));
  StateDirectory directory(path, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return refuse(path, absl::StrCat("cannot be locked: ", strerror(errno)));
    int pid = read_holder(lock);
    std::string who = pid > 0 ? absl::StrCat("process ", pid) : "another process";
    return refuse(path, absl::StrCat("is in use by ", who, "; each data plane needs one of its own"));
  }
  write_holder(lock);
  return directory;
}

int StateDirectory::holder(const std::string& path) {
  int lock = ::open(absl::StrCat(path, "/", kLock).c_str(), O_RDONLY | O_CLOEXEC);
  if (lock < 0) return 0;
  int pid = flock(lock, LOCK_SH | LOCK_NB) == 0 ? 0 : read_holder(lock);
  close(lock);
  return pid;
}

bool StateDirectory::is_in_place() const {
  struct stat found{};
  struct stat ours{};
  return ::stat(file(kLock).c_str(), &found) == 0 && ::fstat(lock_, &ours) == 0 && found.st_ino == ours.st_ino &&
         found.st_dev == ours.st_dev;
}

absl::Status StateDirectory::take_place() {
  if (is_in_place()) return absl::OkStatus();
  absl::StatusOr<StateDirectory> taken = open(path_);
  if (!taken.ok()) return taken.status();
  *this = *std::move(taken);
  return absl::OkStatus();
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

StateDirectory& StateDirectory::operator=(StateDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

StateDirectory::~StateDirectory() {
  if (lock_ >= 0) close(lock_);
}

absl::Status StateDirectory::flush() const {
  int folder = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int failed = folder < 0 || fsync(folder) != 0 ? errno : 0;
  if (folder >= 0) close(folder);
  if (failed == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path_, ": cannot be flushed: ", strerror(failed)));
}

}  // namespace fairlead::journal
