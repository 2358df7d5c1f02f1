// A mutex with which one can wait: whoever unlocks it wakes those who wait for what it may have changed.
//
// Over the standard library's, not Abseil's: the distribution's Abseil is not built for the thread sanitizer, which
// then takes what its mutexes guard for unguarded.
#pragma once

#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

namespace fairlead::threads {

class Monitor {
 public:
  // Holds the monitor as long as it lives.
  class Lock {
   public:
    explicit Lock(Monitor& monitor) : monitor_(monitor), lock_(monitor.mutex_) {}
    // (Before it unlocks: whoever waits may be about to end the monitor.)
    ~Lock() { monitor_.changed_.notify_all(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    // Lets go of the monitor until `holds()`, which is called with it held, or until the deadline. Returns holds().
    template <typename Predicate>
    bool wait_until(absl::Time deadline, Predicate holds) {
      if (deadline == absl::InfiniteFuture()) {
        monitor_.changed_.wait(lock_, holds);
        return true;
      }
      return monitor_.changed_.wait_until(lock_, absl::ToChronoTime(deadline), holds);
    }
    template <typename Predicate>
    bool wait_for(absl::Duration duration, Predicate holds) {
      if (duration == absl::InfiniteDuration()) return wait_until(absl::InfiniteFuture(), holds);
      return monitor_.changed_.wait_for(lock_, absl::ToChronoNanoseconds(duration), holds);
    }

   private:
    Monitor& monitor_;
    std::unique_lock<std::mutex> lock_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace fairlead::threads
