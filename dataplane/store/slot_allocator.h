// Hands out the lowest free number.
#pragma once

#include "absl/container/btree_set.h"
#include "base/check.h"
#include "config/model.h"

namespace fairlead::store {

class SlotAllocator {
 public:
  config::Slot take() {
    if (free_.empty()) return next_++;
    config::Slot slot = *free_.begin();
    free_.erase(free_.begin());
    return slot;
  }

  // Takes back what was released; requires that it is free.
  void take_exactly(config::Slot slot) { FAIRLEAD_CHECK(try_take(slot)); }
  // False where it is taken.
  bool try_take(config::Slot slot) {
    for (; next_ <= slot; ++next_) free_.insert(free_.end(), next_);
    return free_.erase(slot) == 1;
  }

  void release(config::Slot slot) {
    FAIRLEAD_CHECK(slot < next_);
    free_.insert(slot);
    while (!free_.empty() && *free_.rbegin() + 1 == next_) {
      free_.erase(--free_.end());
      --next_;
    }
  }

 private:
  config::Slot next_ = 0;
  absl::btree_set<config::Slot> free_;  // all below next_
};

}  // namespace fairlead::store
