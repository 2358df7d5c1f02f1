// Where threads leave what they heard, for the one thread that decides.
#pragma once

#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "threads/monitor.h"

namespace fairlead::threads {

template <typename Message>
class Mailbox {
 public:
  // From any thread.
  void post(Message message) {
    Monitor::Lock lock(mutex_);
    messages_.push_back(std::move(message));
  }

  // All that is there, in order; waits for the first until `deadline`.
  std::vector<Message> take(absl::Time deadline) {
    Monitor::Lock lock(mutex_);
    const auto any = [this] { return !messages_.empty(); };
    lock.wait_until(deadline, any);
    return std::exchange(messages_, {});
  }

 private:
  Monitor mutex_;
  std::vector<Message> messages_;  // guarded by mutex_
};

}  // namespace fairlead::threads
