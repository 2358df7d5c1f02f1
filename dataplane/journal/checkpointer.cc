#include "journal/checkpointer.h"

#include <pthread.h>

#include <utility>

#include "spdlog/spdlog.h"

namespace fairlead::journal {

Checkpointer::Checkpointer(std::string path) : path_(std::move(path)), thread_([this] { run(); }) {}

Checkpointer::~Checkpointer() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::log_is(uint32_t frames) {
  // Shorter than before: the log has begun anew.
  if (frames < frames_.exchange(frames, std::memory_order_relaxed)) merged_.store(0, std::memory_order_relaxed);
  if (frames - merged_.load(std::memory_order_relaxed) < kFramesBegin) return;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(wanted_, true)) return;
  }
  wake_.notify_one();
}

bool Checkpointer::leaves_rest_to_writer() const {
  uint32_t frames = frames_.load(std::memory_order_relaxed);
  uint32_t merged = merged_.load(std::memory_order_relaxed);
  return frames > kFramesMax || (frames >= kFramesLong && merged < frames && frames - merged <= kFramesLittle);
}

void Checkpointer::run() {
  pthread_setname_np(pthread_self(), "checkpointer");
  std::optional<Database> database;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return wanted_ || stopped_; });
      if (stopped_) return;
      wanted_ = false;
    }
    merge(database);
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, kPause, [this] { return stopped_; })) return;
  }
}

// What fails here costs nothing but a longer log; the next time tries again.
void Checkpointer::merge(std::optional<Database>& database) {
  if (!database) {
    absl::StatusOr<Database> opened = Database::open(path_, Database::Mode::kReadWrite);
    if (!opened.ok()) return;
    database = *std::move(opened);
  }
  int frames = 0;
  int merged = 0;
  int code = sqlite3_wal_checkpoint_v2(database->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, &merged);
  if (code == SQLITE_OK && merged >= 0) return merged_.store(static_cast<uint32_t>(merged), std::memory_order_relaxed);
  if (code != SQLITE_BUSY) spdlog::warn("journal: its log cannot be merged now: {}", database->message());
  database.reset();
}

}  // namespace fairlead::journal
