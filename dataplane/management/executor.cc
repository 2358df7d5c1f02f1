#include "management/executor.h"

#include <pthread.h>

#include <mutex>

#include "base/check.h"

namespace fairlead::management {

Executor::Executor() : thread_([this] { run(); }) {}

Executor::~Executor() { FAIRLEAD_CHECK(!thread_.joinable()); }

void Executor::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
  // Tasks keep their streams: they end here, without the lock.
  std::vector<Task> late;
  std::map<std::pair<Clock::time_point, uint64_t>, Task> timed;
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    late = std::exchange(tasks_, {});
    timed = std::exchange(timed_, {});
  }
}

void Executor::post(Task task) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) wake_.notify_one();
}

void Executor::post_at(Clock::time_point time, Task task) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  timed_.emplace(std::pair(time, ++last_timed_), std::move(task));
  wake_.notify_one();
}

void Executor::run() {
  pthread_setname_np(pthread_self(), "management");
  for (std::vector<Task> tasks = take(); !tasks.empty(); tasks = take()) {
    for (Task& task : tasks) task();
  }
}

// Empty at the end only.
std::vector<Executor::Task> Executor::take() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::vector<Task> due = std::exchange(tasks_, {});
    Clock::time_point now = Clock::now();
    while (!timed_.empty() && timed_.begin()->first.first <= now) {
      due.push_back(std::move(timed_.begin()->second));
      timed_.erase(timed_.begin());
    }
    if (!due.empty() || stopping_) return due;
    if (timed_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, timed_.begin()->first.first);
    }
  }
}

}  // namespace fairlead::management
