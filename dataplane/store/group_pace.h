// When a group of transactions is made durable and visible: at once, or together with those that are on their way.
//
// A group costs much the same whatever its size: a flush, a snapshot that each worker follows, an answer to each
// session. So where sessions send on without waiting for answers, groups are kInterval apart, as with commit_delay of
// PostgreSQL, or less where nothing more comes. That some session sends on is known from a group that has two
// transactions of it. Where groups come in such quick succession that it may be so unseen, one is made to wait; if that
// was for nobody, it is tried less and less often. A client that waits for each answer before it sends on is hardly
// ever held up, and never where it is not in a hurry.
//
// One thread; time is a parameter.
#pragma once

#include <algorithm>
#include <chrono>

namespace fairlead::store {

class GroupPace {
 public:
  using Clock = std::chrono::steady_clock;
  // From group to group. What a change takes longer at most, and on average half of that.
  static constexpr std::chrono::milliseconds kInterval{24};
  // A group that waits does so no longer when nothing has come for this time: who has as much unanswered as it wants to
  // have is still as well.
  static constexpr std::chrono::milliseconds kStill{6};
  // From group to group where somebody is to get no more requests.
  static constexpr std::chrono::milliseconds kRemovalInterval{4};
  // What is a quick succession: groups so close to each other, on average.
  static constexpr std::chrono::milliseconds kClose{2};
  // How many of them go without a wait before one is made to wait.
  static constexpr int kFewest = 32;
  static constexpr int kMost = 2048;

  // A group begins. It is to be committed then, `now` or later, if nothing more comes.
  Clock::time_point begin(Clock::time_point now) {
    waits_ = now < last_ + kInterval && (paced_ || is_to_be_tried(now));
    return go_on(now);
  }
  // More has come: as begin().
  Clock::time_point go_on(Clock::time_point now) const {
    return waits_ ? std::min(last_ + kInterval, now + kStill) : now;
  }

  // A server that the group takes out does not wait for what others have to say.
  Clock::time_point overtake(Clock::time_point due) const { return std::min(due, last_ + kRemovalInterval); }

  // It is committed. `is_pipelined`: it has more than one transaction of some session.
  void committed(Clock::time_point now, bool is_pipelined) {
    last_ = now;
    if (is_pipelined) {
      paced_ = true;
      needed_ = kFewest;
    } else if (waits_) {
      if (!paced_) needed_ = std::min(2 * needed_, kMost);
      paced_ = false;
    }
    if (paced_ || waits_) {
      unpaced_ = 0;
    } else if (++unpaced_ == 1) {
      succession_began_ = now;
    }
    waits_ = false;
  }

 private:
  bool is_to_be_tried(Clock::time_point now) {
    if (unpaced_ < needed_) return false;
    if (now < succession_began_ + unpaced_ * kClose) return true;
    unpaced_ = 0;
    return false;
  }

  Clock::time_point last_ = Clock::time_point::min() + kInterval;
  // The group that has begun waits for others.
  bool waits_ = false;
  // Groups do, as the last that could tell was pipelined.
  bool paced_ = false;
  // Groups in succession that did not wait, and how many there are to be before one does.
  int unpaced_ = 0;
  int needed_ = kFewest;
  Clock::time_point succession_began_;
};

}  // namespace fairlead::store
