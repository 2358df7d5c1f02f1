// The access log: one line for each request, which never holds up a worker.
//
// Each worker formats its lines into a ring of its own; one writer thread of this object takes them to the file. Where
// a ring is full, because the disk or the reader of a pipe is slow, lines are dropped and counted. Lines of one worker
// are in order, those of different workers nearly so.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "observe/access_record.h"
#include "observe/byte_ring.h"

namespace fairlead::observe {

struct AccessLogOptions {
  // "-" is standard output. A file is appended to, and made with mode 0640 where there is none. A FIFO has to have a
  // reader.
  std::string path;
  unsigned workers = 1;
  // For each worker: what it may log while the writer is away.
  size_t ring_bytes = size_t{1} << 20;
};

class AccessLog {
 public:
  static absl::StatusOr<std::unique_ptr<AccessLog>> open(const AccessLogOptions& options);
  // Writes what there is; gives up a second after a pipe's reader stopped reading.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // The worker's thread only. Requires worker < options.workers. Never waits, allocates nothing.
  void write(unsigned worker, const AccessRecord& record);

  // Any thread. The writer opens the path anew, so that the file can be rotated; where that fails it says so in the log
  // and goes on with the old one. Does nothing for standard output.
  void reopen();

  // Any thread but a worker's: returns when all that was written before is in the file (or lost), and a reopen() is
  // done.
  void flush();

  // Lines that were dropped so far: by this worker, or because the file could not be written. The sum over both is what
  // Statistics::log_lines_dropped wants. Any thread.
  uint64_t dropped_by_worker(unsigned worker) const;
  uint64_t dropped_by_writer() const { return lost_.load(std::memory_order_relaxed); }

 private:
  struct Channel {
    explicit Channel(size_t bytes) : ring(bytes) {}
    ByteRing ring;
    // The worker alone writes it.
    std::atomic<uint64_t> dropped = 0;
  };

  AccessLog(const AccessLogOptions& options, int fd);
  void run();
  void drain();
  std::string_view write_to_file(std::string_view lines);
  void note_lost(std::string_view lines);
  void note_written();
  bool wait_until_writable();
  void reopen_now();
  void adopt(int fd);

  const std::string path_;
  std::vector<std::unique_ptr<Channel>> channels_;
  // The writer's alone, once it runs.
  int fd_ = -1;
  bool is_regular_ = false;
  // The last byte in the file is not a line feed.
  bool inside_line_ = false;
  // How long the end may still take on account of a pipe that nobody reads.
  int patience_ms_ = 1000;
  std::atomic<uint64_t> lost_ = 0;
  // Nothing could be written when it was tried last, and the log says so.
  bool is_losing_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_. A flush is a number: asked for, and done.
  uint64_t flush_asked_ = 0;
  uint64_t flush_done_ = 0;
  bool reopen_asked_ = false;
  std::atomic<bool> stopping_ = false;
  // Last: the thread begins when all else is there.
  std::thread writer_;
};

}  // namespace fairlead::observe
