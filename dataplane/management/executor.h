// One thread on which the state of all sessions and streams lives, so that none of it needs a lock: gRPC's threads, the
// store's and the workers' hand over what concerns a session and go on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace fairlead::management {

class Executor {
 public:
  using Task = absl::AnyInvocable<void()>;
  // Steady: whoever sets the wall clock neither delays what waits nor brings it on.
  using Clock = std::chrono::steady_clock;

  Executor();
  // Requires stop().
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // From any thread. Tasks run in the order in which they were posted and must not block.
  void post(Task task);
  void post_at(Clock::time_point time, Task task);
  // Runs what was posted, and ends; what waits for its time, and what comes later, is dropped. Idempotent; by
  // one other thread.
  void stop();

 private:
  void run();
  std::vector<Task> take();

  std::mutex mutex_;
  std::vector<Task> tasks_;  // guarded by mutex_
  // By time and order of posting.
  std::map<std::pair<Clock::time_point, uint64_t>, Task> timed_;  // guarded by mutex_
  uint64_t last_timed_ = 0;                                       // guarded by mutex_
  bool stopping_ = false;                                         // guarded by mutex_
  bool ended_ = false;                                            // guarded by mutex_
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace fairlead::management
