#include "store/inbox.h"

#include <mutex>
#include <utility>

namespace fairlead::store {

Inbox::Posted Inbox::post(Task& task) {
  std::lock_guard lock(mutex_);
  if (closed_) return Posted::kClosed;
  if (tasks_.size() >= capacity_) return Posted::kFull;
  add(std::move(task), /*is_fact=*/false);
  return Posted::kYes;
}

void Inbox::post_fact(Task task) {
  std::lock_guard lock(mutex_);
  add(std::move(task), /*is_fact=*/true);
}

// The writer takes all there is, so only the first that it waits for wakes it.
void Inbox::add(Task task, bool is_fact) {
  const bool had_something = has_something();
  tasks_.push_back(std::move(task));
  has_fact_ |= is_fact;
  if (!had_something && has_something()) arrived_.notify_one();
}

std::vector<Inbox::Task> Inbox::take() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return has_something() || closed_; });
  return take_all();
}

std::vector<Inbox::Task> Inbox::take_later(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  is_patient_ = true;
  arrived_.wait_until(lock, deadline, [this] { return has_something() || closed_; });
  is_patient_ = false;
  return take_all();
}

std::vector<Inbox::Task> Inbox::take_until(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  arrived_.wait_until(lock, deadline, [this] { return has_something(); });
  return take_all();
}

std::vector<Inbox::Task> Inbox::take_all() {
  has_fact_ = false;
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
