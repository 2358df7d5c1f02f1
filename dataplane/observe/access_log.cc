#include "observe/access_log.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "spdlog/spdlog.h"

namespace fairlead::observe {
namespace {

// How often the writer looks into the rings. A worker never wakes it, which would cost a system call for a line.
constexpr std::chrono::milliseconds kTurn(20);

int open_file(const std::string& path) {
  if (path == "-") return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  // A FIFO that nobody reads would be waited for.
  int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
  if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return fd;
}

const char* why_not_open(int error) { return error == ENXIO ? "nobody reads this FIFO" : std::strerror(error); }

}  // namespace

absl::StatusOr<std::unique_ptr<AccessLog>> AccessLog::open(const AccessLogOptions& options) {
  if (options.ring_bytes < kAccessLineMax) {
    return absl::InvalidArgumentError("access log: ring_bytes: " + std::to_string(options.ring_bytes) +
                                      " is too small for one line, at least " + std::to_string(kAccessLineMax) +
                                      " are needed");
  }
  int fd = open_file(options.path);
  if (fd < 0) {
    return absl::FailedPreconditionError("access log: " + options.path + " cannot be opened: " + why_not_open(errno));
  }
  return std::unique_ptr<AccessLog>(new AccessLog(options, fd));
}

AccessLog::AccessLog(const AccessLogOptions& options, int fd) : path_(options.path) {
  for (unsigned i = 0; i < options.workers; ++i) channels_.push_back(std::make_unique<Channel>(options.ring_bytes));
  adopt(fd);
  writer_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  writer_.join();
  close(fd_);
}

void AccessLog::write(unsigned worker, const AccessRecord& record) {
  FAIRLEAD_CHECK(worker < channels_.size());
  Channel& channel = *channels_[worker];
  std::array<char, kAccessLineMax> line;
  size_t size = format_access_line(record, line.data(), line.size());
  if (channel.ring.try_write({line.data(), size})) return;
  channel.dropped.store(channel.dropped.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

uint64_t AccessLog::dropped_by_worker(unsigned worker) const {
  FAIRLEAD_CHECK(worker < channels_.size());
  return channels_[worker]->dropped.load(std::memory_order_relaxed);
}

void AccessLog::reopen() {
  std::lock_guard lock(mutex_);
  reopen_asked_ = true;
  changed_.notify_all();
}

void AccessLog::flush() {
  std::unique_lock lock(mutex_);
  uint64_t number = ++flush_asked_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return flush_done_ >= number; });
}

// The writer thread. What was in the rings when a turn began is in the file when it ends, a reopening before it
// included.
void AccessLog::run() {
  pthread_setname_np(pthread_self(), "access-log");
  // Signals are the main thread's; and a pipe whose reader went is an error of write(), not the end of the process.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (bool stop = false; !stop;) {
    uint64_t flush;
    bool reopen;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kTurn, [&] { return stopping_ || reopen_asked_ || flush_asked_ > flush_done_; });
      flush = flush_asked_;
      reopen = std::exchange(reopen_asked_, false);
      stop = stopping_;
    }
    // What was logged before goes to the old file.
    drain();
    if (reopen) reopen_now();
    std::lock_guard lock(mutex_);
    if (flush == flush_done_) continue;
    flush_done_ = flush;
    changed_.notify_all();
  }
}

void AccessLog::drain() {
  for (const auto& channel : channels_) {
    // What an error cut short ends here.
    if (inside_line_) write_to_file("\n");
    size_t size = 0;
    for (std::string_view part : channel->ring.readable()) {
      // What cannot be written is lost: keeping it would only move the loss to the rings.
      std::string_view left = write_to_file(part);
      if (!left.empty()) {
        note_lost(left);
      } else if (!part.empty()) {
        note_written();
      }
      size += part.size();
    }
    channel->ring.consume(size);
  }
}

void AccessLog::note_lost(std::string_view lines) {
  if (!std::exchange(is_losing_, true)) {
    spdlog::warn("access log: lines are lost, {} cannot be written: {}", path_, std::strerror(errno));
  }
  lost_.fetch_add(static_cast<uint64_t>(std::ranges::count(lines, '\n')), std::memory_order_relaxed);
}

void AccessLog::note_written() {
  if (!std::exchange(is_losing_, false)) return;
  spdlog::warn("access log: {} is written again, {} lines were lost so far", path_, dropped_by_writer());
}

// Returns what could not be written.
std::string_view AccessLog::write_to_file(std::string_view lines) {
  while (!lines.empty()) {
    // A write to a pipe that has room for PIPE_BUF bytes never waits for more than these (POSIX, write()).
    size_t size = is_regular_ ? lines.size() : std::min<size_t>(lines.size(), PIPE_BUF);
    ssize_t written = wait_until_writable() ? ::write(fd_, lines.data(), size) : -1;
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    inside_line_ = lines[static_cast<size_t>(written) - 1] != '\n';
    lines.remove_prefix(static_cast<size_t>(written));
  }
  return lines;
}

// False where this object ends and whoever reads does not.
bool AccessLog::wait_until_writable() {
  if (is_regular_) return true;
  constexpr int kStepMs = 50;
  while (patience_ms_ > 0) {
    pollfd waiting{fd_, POLLOUT, 0};
    if (poll(&waiting, 1, kStepMs) > 0) return true;
    if (stopping_) patience_ms_ -= kStepMs;
  }
  errno = EAGAIN;
  return false;
}

void AccessLog::reopen_now() {
  if (path_ == "-") return;
  int fd = open_file(path_);
  if (fd < 0) {
    spdlog::error("access log: {} cannot be opened again, the old file stays in use: {}", path_, why_not_open(errno));
    return;
  }
  close(fd_);
  adopt(fd);
}

void AccessLog::adopt(int fd) {
  struct stat status;
  fd_ = fd;
  is_regular_ = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace fairlead::observe
