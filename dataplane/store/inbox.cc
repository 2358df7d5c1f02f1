#include "store/inbox.h"

#include <utility>

namespace fairlead::store {

Inbox::Posted Inbox::post(Task& task) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return Posted::kClosed;
  if (tasks_.size() >= capacity_) return Posted::kFull;
  tasks_.push_back(std::move(task));
  return Posted::kYes;
}

void Inbox::post_fact(Task task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
}

std::vector<Inbox::Task> Inbox::take() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &Inbox::has_tasks_or_is_closed));
  return std::exchange(tasks_, {});
}

std::vector<Inbox::Task> Inbox::take_until(absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithDeadline(absl::Condition(this, &Inbox::has_tasks), deadline);
  return std::exchange(tasks_, {});
}

void Inbox::close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool Inbox::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

}  // namespace fairlead::store
