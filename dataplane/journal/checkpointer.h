// Merges the write-ahead log into the file beside the writer, on a thread and a connection of its own, so that no
// change waits for it. The log begins anew when all of it is merged at the moment of a write, which the writer sees to
// when it has become long and little is left.
//
// Little and often: a merging writes pages all over the file and flushes them, and the disk lets the flush of a change
// that comes meanwhile wait for all of that. A thousand pages at once are a second of slow changes; a few are not seen.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "journal/database.h"

namespace fairlead::journal {

class Checkpointer {
 public:
  // So much is worth merging: frames of a page each. A single change writes four.
  static constexpr uint32_t kFramesBegin = 64;
  // From the end of a merging to the next one.
  static constexpr std::chrono::milliseconds kPause{200};
  // A log longer than this should begin anew,
  static constexpr uint32_t kFramesLong = 2'048;
  // where this is left, which a writer may merge by itself without being late.
  static constexpr uint32_t kFramesLittle = 64;
  // Beyond this it does, whatever is left: the log has a limit.
  static constexpr uint32_t kFramesMax = 16'384;

  explicit Checkpointer(std::string path);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // By the writer, after a group: how long the log is now.
  void log_is(uint32_t frames);
  // Whether the writer should merge the rest before it goes on.
  bool leaves_rest_to_writer() const;

 private:
  void run();
  void merge(std::optional<Database>& database);

  const std::string path_;
  std::atomic<uint32_t> frames_ = 0;
  // That the last merging reached.
  std::atomic<uint32_t> merged_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;   // guarded by mutex_
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace fairlead::journal
