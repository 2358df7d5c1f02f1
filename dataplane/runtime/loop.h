// A worker's loop: one thread that runs coroutines as their sockets, timers and messages allow.
//
// A turn: wait for sockets, then the hook (a worker looks at the newest snapshot there), messages from other threads,
// what the sockets can do, due timers, and what was made ready in all that. Everything but post_message(), stop() and
// wake() belongs to the loop's thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/intrusive_list.h"
#include "runtime/driver.h"
#include "runtime/timer_wheel.h"
#include "runtime/waiter.h"

namespace fairlead::runtime {

class Loop {
 public:
  explicit Loop(Driver& driver);
  // Who is still to be woken is not.
  ~Loop();

  Driver& driver() { return driver_; }
  // When the wait of this turn ended. Costs nothing.
  TimePoint now() const { return now_; }
  TimerWheel& timers() { return timers_; }

  // Wakes `waiter` at the end of this turn or in the next, never from inside this call.
  void make_ready(Waiter& waiter, Wake reason);

  // From any thread: `message` runs on the loop's thread in a later turn, in order of posting.
  void post_message(absl::AnyInvocable<void()> message);
  // From any thread.
  void wake() { driver_.wake(); }

  // Called at the top of each turn, after messages were taken over and before they run: what was published before a
  // message was posted is seen before the message runs.
  void set_turn_hook(std::function<void()> hook) { turn_hook_ = std::move(hook); }

  void turn();
  // Turns until stop() was called and the turn is over.
  void run();
  // From any thread.
  void stop();
  // After run() has returned: what was posted too late to be run by it. By the thread that has joined the loop's.
  void run_late_messages();

 private:
  void take_messages();
  void run_messages();
  void run_ready();

  Driver& driver_;
  TimePoint now_;
  TimerWheel timers_;
  base::List<Waiter, ReadyQueueTag> ready_;
  std::function<void()> turn_hook_;
  std::atomic<bool> stopping_ = false;

  std::atomic<bool> has_messages_ = false;
  // Not Abseil's: the thread sanitizer does not see through that of the distribution's library.
  std::mutex mutex_;
  std::vector<absl::AnyInvocable<void()>> messages_;  // guarded by mutex_
  std::vector<absl::AnyInvocable<void()>> taken_;
};

}  // namespace fairlead::runtime
