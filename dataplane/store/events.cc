#include "store/events.h"

#include <mutex>

namespace fairlead::store {

EventQueue::Taken EventQueue::take() {
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) return {};
  Taken taken = std::move(waiting_.front());
  waiting_.pop_front();
  return taken;
}

bool EventQueue::overflowed() const {
  std::lock_guard lock(mutex_);
  return overflowed_;
}

void EventQueue::push(const EventBatch& batch) {
  bool tell = false;
  {
    std::lock_guard lock(mutex_);
    if (overflowed_) return;
    bool was_empty = waiting_.empty();
    for (const Event& event : *batch) {
      if (!concerns(event)) continue;
      waiting_.push_back({batch, &event});
    }
    overflowed_ = waiting_.size() > kWaitingMax;
    if (overflowed_) waiting_.clear();
    tell = overflowed_ || (was_empty && !waiting_.empty());
  }
  if (tell) ready_();
}

bool EventQueue::concerns(const Event& event) const {
  bool is_step = std::holds_alternative<ServerStep>(event.what) || std::holds_alternative<BackendStep>(event.what) ||
                 std::holds_alternative<ProcessStep>(event.what);
  if (event.number <= start_.number || event.version < start_.version) return false;
  if (event.version == start_.version && !is_step) return false;
  if (!session_) return true;
  return is_step && event.origin && event.origin->session == *session_;
}

}  // namespace fairlead::store
