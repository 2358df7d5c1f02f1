#include "store/row_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace fairlead::store {

RowQueue::RowQueue(std::function<absl::Status(const journal::Row&)> take)
    : take_(std::move(take)), thread_([this] { run(); }) {}

RowQueue::~RowQueue() {
  {
    std::lock_guard lock(mutex_);
    finished_ = true;
    if (status_.ok()) status_ = absl::CancelledError();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RowQueue::begin_piece(size_t bytes) {
  piece_ = {};
  piece_.size = std::max(bytes, kPieceBytes);
  piece_.bytes = std::make_unique_for_overwrite<char[]>(piece_.size);
}

absl::Status RowQueue::push(const journal::Row& row) {
  size_t bytes = row.content.size() + row.bound.size();
  if (piece_.size - piece_.used < bytes) {
    if (absl::Status handed = hand_over(); !handed.ok()) return handed;
    begin_piece(bytes);
  }
  auto copy = [this](std::string_view& text) {
    char* to = piece_.bytes.get() + piece_.used;
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    piece_.used += text.size();
    text = {to, text.size()};
  };
  journal::Row& added = piece_.rows.emplace_back(row);
  copy(added.content);
  copy(added.bound);
  return absl::OkStatus();
}

absl::Status RowQueue::hand_over() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < kWaitingMax || !status_.ok(); });
  if (!piece_.rows.empty()) waiting_.push_back(std::exchange(piece_, {}));
  changed_.notify_all();
  return status_;
}

absl::Status RowQueue::finish() {
  absl::Status handed = hand_over();
  {
    std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_all();
  thread_.join();
  return handed.ok() ? status_ : handed;
}

void RowQueue::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !waiting_.empty() || finished_ || !status_.ok(); });
    if (waiting_.empty() || !status_.ok()) return;
    Piece piece = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    changed_.notify_all();
    for (const journal::Row& row : piece.rows) {
      absl::Status taken = take_(row);
      if (taken.ok()) continue;
      lock.lock();
      status_ = taken;
      lock.unlock();
      changed_.notify_all();
      return;
    }
  }
}

}  // namespace fairlead::store
