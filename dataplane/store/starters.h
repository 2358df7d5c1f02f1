// Servers of one backend that have begun to take requests lately, where servers start slowly: since when. Belongs to
// the store's thread.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "base/slot_set.h"
#include "config/snapshot.h"

namespace fairlead::store {

class Starters {
 public:
  // By the clock of workers' loops.
  static config::Duration now() { return std::chrono::steady_clock::now().time_since_epoch(); }

  void take_settings(const config::SlowStart& settings) {
    window_ = settings.window;
    if (window_) return;
    since_ = {};
    order_.clear();
  }
  // The server at this slot was there when the process began: when it takes requests for the first time it is no
  // newcomer.
  void set_was_there(config::Slot slot, bool was_there) {
    if (!window_) return;
    was_there ? there_.insert(slot) : there_.erase(slot);
  }
  // Once.
  bool take_was_there(config::Slot slot) { return there_.erase(slot); }
  // The server at this slot begins now.
  void begin(config::Slot slot) {
    if (!window_) return;
    config::Duration time = now();
    since_.set(slot, time);
    order_.push_back({slot, time});
  }
  // The part of its full share that it has now.
  double part_of(config::Slot slot, const config::SlowStart& settings) const {
    const config::Duration* time = since_.find(slot);
    return time ? settings.part_after(now() - *time) : 1;
  }
  // Without those that are through with it.
  void put_into(config::BackendSnapshot& snapshot) {
    if (order_.empty()) return;
    config::Duration oldest = now() - window_.value_or(config::Duration::zero());
    for (; !order_.empty() && order_.front().time <= oldest; order_.pop_front()) {
      const config::Duration* time = since_.find(order_.front().slot);
      // It may have begun again.
      if (time && *time == order_.front().time) since_.erase(order_.front().slot);
    }
    snapshot.starting = since_;
  }

 private:
  struct Begin {
    config::Slot slot;
    config::Duration time;
  };

  // Unset: all have their full share at once.
  std::optional<config::Duration> window_;
  base::SlotMap<config::Duration> since_;
  std::deque<Begin> order_;
  base::SlotSet there_;
};

}  // namespace fairlead::store
