#include "runtime/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace fairlead::runtime {
namespace {
constexpr Duration kTick = std::chrono::milliseconds(1);
}

TimerWheel::~TimerWheel() {
  for (auto& level : slots_) {
    for (auto& slot : level) {
      while (slot.pop_front()) {
      }
    }
  }
  while (due_.pop_front()) {
  }
}

uint64_t TimerWheel::tick_at_or_after(TimePoint time) const {
  if (time <= start_) return 0;
  return static_cast<uint64_t>((time - start_) / kTick) + ((time - start_) % kTick != Duration::zero());
}

TimePoint TimerWheel::time_of(uint64_t tick) const { return start_ + kTick * static_cast<int64_t>(tick); }

void TimerWheel::schedule(Timer& timer, TimePoint when) {
  timer.unlink();
  timer.when_ = when;
  place(timer);
}

// The level is that of the highest digit (base 64) in which the timer's tick differs from now: so it moves down a level
// whenever `now_` enters its slot, and fires from level 0.
void TimerWheel::place(Timer& timer) {
  constexpr uint64_t kHorizon = uint64_t{1} << (kLevels * kSlotBits);
  uint64_t tick = std::min(tick_at_or_after(timer.when_), now_ + kHorizon - 1);
  if (tick <= now_) {
    due_.push_back(timer);
    return;
  }
  int level = (std::bit_width(tick ^ now_) - 1) / kSlotBits;
  if (level >= kLevels) level = kLevels - 1;
  auto slot = static_cast<int>(tick >> (level * kSlotBits)) & (kSlots - 1);
  slots_[level][slot].push_back(timer);
  occupied_[level] |= uint64_t{1} << slot;
}

void TimerWheel::cascade(int level) {
  auto slot = static_cast<int>(now_ >> (level * kSlotBits)) & (kSlots - 1);
  if ((occupied_[level] >> slot & 1) == 0) return;
  occupied_[level] &= ~(uint64_t{1} << slot);
  Slot moving;
  moving.splice_back(slots_[level][slot]);
  while (Timer* timer = moving.pop_front()) place(*timer);
}

void TimerWheel::advance(TimePoint now) {
  Slot firing;
  firing.splice_back(due_);
  uint64_t target = now <= start_ ? 0 : static_cast<uint64_t>((now - start_) / kTick);
  while (now_ < target) {
    // Straight to the next tick in which something happens.
    uint64_t following = std::min(target, next() == kNever ? target : tick_at_or_after(next()));
    now_ = std::max(now_ + 1, following);
    for (int level = kLevels - 1; level >= 0; --level) cascade(level);
    firing.splice_back(due_);
  }
  while (Timer* timer = firing.pop_front()) timer->fire_(*timer);
}

TimePoint TimerWheel::next() const {
  if (!due_.empty()) return time_of(now_);
  uint64_t first = UINT64_MAX;
  for (int level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    int shift = level * kSlotBits;
    uint64_t position = now_ >> shift;
    // Slots behind the present one, in the order in which they come.
    uint64_t ahead = std::rotr(occupied_[level], static_cast<int>((position + 1) & (kSlots - 1)));
    uint64_t slot = position + 1 + static_cast<uint64_t>(std::countr_zero(ahead));
    first = std::min(first, slot << shift);
  }
  return first == UINT64_MAX ? kNever : time_of(first);
}

}  // namespace fairlead::runtime
