// When a group of transactions is made durable and visible: at once, or together with those that are on their way.
//
// A group costs much the same whatever its size: a flush, a snapshot that each worker follows, an answer to each
// session. So where sessions send on without waiting for answers, groups are kInterval apart, as with commit_delay of
// PostgreSQL. Whether they do is tried: a wait for nobody is followed by groups that do not wait, more of them each
// time, so that a client that waits for each answer before it sends on is hardly ever held up.
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
  static constexpr std::chrono::milliseconds kInterval{8};
  // How many groups go without a wait after one for nobody.
  static constexpr int kFewest = 32;
  static constexpr int kMost = 2048;

  // A group begins, which is to be committed then: `now`, or later.
  Clock::time_point due(Clock::time_point now) {
    waits_ = now < last_ + kInterval && skipped_ == 0;
    if (now < last_ + kInterval && skipped_ > 0) --skipped_;
    return waits_ ? last_ + kInterval : now;
  }

  // It is committed. `is_pipelined`: it has more than one transaction of some session.
  void committed(Clock::time_point now, bool is_pipelined) {
    last_ = now;
    if (!waits_) return;
    waits_ = false;
    skipped_ = is_pipelined ? 0 : next_skipped_;
    next_skipped_ = is_pipelined ? kFewest : std::min(2 * next_skipped_, kMost);
  }

 private:
  Clock::time_point last_ = Clock::time_point::min() + kInterval;
  bool waits_ = false;
  // Groups that will not wait.
  int skipped_ = 0;
  int next_skipped_ = kFewest;
};

}  // namespace fairlead::store
