#include "store/inbox.h"

#include <mutex>
#include <utility>

namespace fairlead::store {

Inbox::Posted Inbox::post(Task& task) {
  std::lock_guard lock(mutex_);
  if (closed_) return Posted::kClosed;
  if (tasks_.size() >= capacity_) return Posted::kFull;
  add(std::move(task));
  return Posted::kYes;
}

void Inbox::post_fact(Task task) {
  std::lock_guard lock(mutex_);
  add(std::move(task));
}

// The writer takes all there is, so only the first wakes it.
void Inbox::add(Task task) {
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) arrived_.notify_one();
}

std::vector<Inbox::Task> Inbox::take() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return !tasks_.empty() || closed_; });
  return std::exchange(tasks_, {});
}

std::vector<Inbox::Task> Inbox::take_until(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  arrived_.wait_until(lock, deadline, [this] { return !tasks_.empty(); });
  return std::exchange(tasks_, {});
}

void Inbox::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  arrived_.notify_one();
}

bool Inbox::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

}  // namespace fairlead::store
