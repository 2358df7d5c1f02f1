// Timers: a hierarchical wheel (Varghese and Lauck, 1987) of six levels with 64 slots, ticks of one millisecond.
//
// Scheduling and cancelling are constant and need no allocation: the timer is part of its owner. A timer fires in the
// first tick at or after its time, never before. One thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/intrusive_list.h"
#include "runtime/time.h"

namespace fairlead::runtime {

// Fires once each time it is scheduled. Leaves the wheel when it is destroyed.
class Timer : public base::ListNode<Timer> {
 public:
  using Fire = void (*)(Timer&);
  explicit Timer(Fire fire) : fire_(fire) {}
  ~Timer() { unlink(); }
  bool is_scheduled() const { return is_linked(); }
  void cancel() { unlink(); }
  // Of the last schedule().
  TimePoint when() const { return when_; }

 private:
  friend class TimerWheel;
  Fire fire_;
  TimePoint when_;
};

class TimerWheel {
 public:
  explicit TimerWheel(TimePoint start) : start_(start) {}
  ~TimerWheel();

  // Moves it where it is scheduled already. `when` may have passed: it fires at the next advance().
  void schedule(Timer& timer, TimePoint when);
  // Fires all that is due. What a firing timer schedules for the past fires in the next call.
  void advance(TimePoint now);
  // When advance() has to be called next: never later than the first timer, sometimes earlier. kNever without timers.
  TimePoint next() const;

 private:
  static constexpr int kLevels = 6;
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  using Slot = base::List<Timer, Timer>;

  uint64_t tick_at_or_after(TimePoint time) const;
  TimePoint time_of(uint64_t tick) const;
  void place(Timer& timer);
  void cascade(int level);

  TimePoint start_;
  uint64_t now_ = 0;  // ticks that advance() has done
  std::array<std::array<Slot, kSlots>, kLevels> slots_;
  // Slots that may hold timers: a bit is set by place() and cleared when the slot is taken.
  std::array<uint64_t, kLevels> occupied_{};
  Slot due_;
};

}  // namespace fairlead::runtime
