#include "upstream/shared_queue.h"

#include "upstream/waiting.h"

namespace fairlead::upstream {

void QueueSeat::call(bool is_own) {
  if (is_own) {
    if (line_) line_->take_call();
    return;
  }
  if (called_.exchange(true, std::memory_order_acq_rel)) return;
  loop_.post_message([self = shared_from_this()] {
    self->called_.store(false, std::memory_order_release);
    if (self->line_) self->line_->take_call();
  });
}

QueueEntry* SharedQueue::first() const {
  for (const auto& entries : classes_) {
    if (QueueEntry* entry = entries.front()) return entry;
  }
  return nullptr;
}

std::shared_ptr<QueueSeat> SharedQueue::call_first() {
  if (free_.empty() && !anything_) return nullptr;
  QueueEntry* entry = first();
  if (!entry || entry == called_) return nullptr;
  called_ = entry;
  return entry->seat_;
}

bool SharedQueue::enter(QueueEntry& entry, uint32_t limit) {
  {
    std::lock_guard lock(mutex_);
    uint32_t waiting = waiting_.load(std::memory_order_relaxed);
    if (waiting >= limit) return false;
    classes_[entry.priority_].push_back(entry);
    waiting_.store(waiting + 1, std::memory_order_seq_cst);
    // What was let go before this one waited was told to nobody.
    if (first() == &entry) {
      anything_ = true;
      called_ = &entry;
    }
  }
  // Before it looks for a place.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return true;
}

SharedQueue::Turn SharedQueue::next_turn(QueueEntry& entry) {
  std::lock_guard lock(mutex_);
  if (called_ == &entry) called_ = nullptr;
  if (first() != &entry) return {};
  if (!free_.empty()) {
    Free free = free_.back();
    free_.pop_back();
    return {.look = Turn::Look::kServer, .slot = free.slot, .server = free.server};
  }
  if (!anything_) return {};
  anything_ = false;
  return {.look = Turn::Look::kAll};
}

void SharedQueue::leave(QueueEntry& entry, bool more) {
  std::shared_ptr<QueueSeat> next;
  {
    std::lock_guard lock(mutex_);
    if (called_ == &entry) called_ = nullptr;
    entry.unlink();
    uint32_t waiting = waiting_.load(std::memory_order_relaxed) - 1;
    waiting_.store(waiting, std::memory_order_seq_cst);
    if (waiting == 0) {
      free_.clear();
      anything_ = false;
    } else {
      anything_ |= more;
      next = call_first();
    }
  }
  if (next) next->call(next == entry.seat_);
}

QueueEntry* SharedQueue::called(const QueueSeat& seat) {
  std::lock_guard lock(mutex_);
  return called_ && called_->seat_.get() == &seat ? called_ : nullptr;
}

void SharedQueue::note_free(config::Slot slot, config::Uid server, const QueueSeat* own) {
  std::shared_ptr<QueueSeat> next;
  {
    std::lock_guard lock(mutex_);
    if (!first()) return;
    if (free_.size() < kFreeMax) {
      free_.push_back({slot, server});
    } else {
      anything_ = true;
    }
    next = call_first();
  }
  if (next) next->call(next.get() == own);
}

void SharedQueue::note_change(const QueueSeat* own) {
  std::shared_ptr<QueueSeat> next;
  {
    std::lock_guard lock(mutex_);
    if (!first()) return;
    anything_ = true;
    next = call_first();
  }
  if (next) next->call(next.get() == own);
}

}  // namespace fairlead::upstream
