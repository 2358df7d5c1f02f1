// Where the threads of sessions, sources and the provider leave what they heard, for the one thread that decides.
#pragma once

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "providers/provider.h"
#include "session/events.h"
#include "sources/load_source.h"
#include "threads/monitor.h"

namespace fairlead::control {

struct FromSession {
  std::size_t dataplane;
  session::Event event;
};
struct FromSource {
  std::size_t dataplane;
  sources::LoadSample sample;
};
// Somebody asks this program to end.
struct StopAsked {};

using Message = std::variant<providers::Event, FromSession, FromSource, StopAsked>;

class Mailbox {
 public:
  // From any thread.
  void post(Message message) {
    threads::Monitor::Lock lock(mutex_);
    messages_.push_back(std::move(message));
  }

  // All that is there, in order; waits for the first until `deadline`.
  std::vector<Message> take(absl::Time deadline) {
    threads::Monitor::Lock lock(mutex_);
    const auto any = [this] { return !messages_.empty(); };
    lock.wait_until(deadline, any);
    return std::exchange(messages_, {});
  }

 private:
  threads::Monitor mutex_;
  std::vector<Message> messages_;  // guarded by mutex_
};

}  // namespace fairlead::control
