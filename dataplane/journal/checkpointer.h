// Merges the write-ahead log into the file beside the writer, on a thread and a connection of its own, so that no
// change waits for it. The log begins anew when all of it is merged at the moment of a write, which the writer sees to
// when little is left.
#pragma once

#include <atomic>
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
  // A log longer than this is merged: frames of a page each.
  static constexpr uint32_t kFramesBegin = 2'048;
  // What a writer may merge by itself without being late.
  static constexpr uint32_t kFramesLittle = 256;
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
