#include "runtime/loop.h"

namespace fairlead::runtime {

Loop::Loop(Driver& driver) : driver_(driver), now_(driver.now()), timers_(now_) {}

Loop::~Loop() {
  while (ready_.pop_front()) {
  }
}

void Loop::make_ready(Waiter& waiter, Wake reason) {
  waiter.posted_ = reason;
  ready_.push_back(waiter);
}

void Loop::post_message(absl::AnyInvocable<void()> message) {
  {
    std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
  }
  // The first message since they were taken over wakes the loop; those behind it are found with it.
  if (!has_messages_.exchange(true, std::memory_order_acq_rel)) driver_.wake();
}

void Loop::take_messages() {
  if (!has_messages_.load(std::memory_order_acquire)) return;
  std::lock_guard lock(mutex_);
  has_messages_.store(false, std::memory_order_release);
  taken_.swap(messages_);
}

void Loop::run_messages() {
  for (auto& message : taken_) message();
  taken_.clear();
}

void Loop::run_ready() {
  // Only what is ready now: what these make ready comes after the sockets' turn, so that nobody starves them.
  base::List<Waiter, ReadyQueueTag> batch;
  batch.splice_back(ready_);
  while (Waiter* waiter = batch.pop_front()) waiter->wake(waiter->posted_);
}

void Loop::turn() {
  driver_.wait(ready_.empty() ? timers_.next() : now_);
  now_ = driver_.now();
  take_messages();
  if (turn_hook_) turn_hook_();
  run_messages();
  driver_.deliver();
  timers_.advance(now_);
  run_ready();
}

void Loop::run() {
  while (!stopping_.load(std::memory_order_acquire)) turn();
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_release);
  driver_.wake();
}

void Loop::run_late_messages() {
  take_messages();
  run_messages();
}

}  // namespace fairlead::runtime
