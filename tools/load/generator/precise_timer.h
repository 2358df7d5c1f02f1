// A wait that ends within microseconds of its time, where the loop's own timers tick in milliseconds: what is sent late
// would be measured as latency. One waits at a time.
#pragma once

#include <coroutine>

#include "net/stream.h"

namespace fairlead::generator {

class PreciseTimer {
 public:
  explicit PreciseTimer(runtime::Loop& loop);

  // Whoever awaits the result is woken at `when`, or by cancel().
  net::WaitReady until(runtime::TimePoint when);
  void cancel() { channel_.cancel(); }

 private:
  runtime::Channel channel_;
};

}  // namespace fairlead::generator
