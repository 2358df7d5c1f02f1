// Rows on their way from the thread that reads the journal to the one that builds the model, in pieces, so that both
// work at the same time.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "journal/rows.h"

namespace fairlead::store {

class RowQueue {
 public:
  // `take` is called for each row in turn, on a thread of this queue's own.
  explicit RowQueue(std::function<absl::Status(const journal::Row&)> take);
  ~RowQueue();

  // Copies the row. An error is one that `take` returned, for this row or one before it.
  absl::Status push(const journal::Row& row);
  // When all are taken; then nothing of the queue runs any more.
  absl::Status finish();

 private:
  static constexpr size_t kPieceBytes = 1 << 20;
  static constexpr size_t kWaitingMax = 4;

  struct Piece {
    std::vector<journal::Row> rows;
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
    size_t used = 0;
  };

  void begin_piece(size_t bytes);
  absl::Status hand_over();
  void run();

  const std::function<absl::Status(const journal::Row&)> take_;
  Piece piece_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Piece> waiting_;  // guarded by mutex_
  bool finished_ = false;      // guarded by mutex_
  absl::Status status_;        // guarded by mutex_
  std::thread thread_;
};

}  // namespace fairlead::store
