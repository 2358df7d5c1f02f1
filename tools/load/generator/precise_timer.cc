#include "generator/precise_timer.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace fairlead::generator {
namespace {

int open_timer() {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  FAIRLEAD_CHECK(fd >= 0);
  return fd;
}

}  // namespace

PreciseTimer::PreciseTimer(runtime::Loop& loop) : channel_(loop, open_timer()) {}

net::WaitReady PreciseTimer::until(runtime::TimePoint when) {
  // A driver reads sockets only, so this read fails, and the channel knows that it has to wait for the next event.
  // Setting the timer anew forgets an earlier expiry.
  std::array<char, 1> nothing;
  channel_.try_read(nothing);
  int64_t nanoseconds = std::max<int64_t>(when.time_since_epoch().count(), 1);
  itimerspec setting{.it_interval = {},
                     .it_value = {.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000}};
  FAIRLEAD_CHECK(timerfd_settime(channel_.fd(), TFD_TIMER_ABSTIME, &setting, nullptr) == 0);
  return {channel_, net::WaitReady::For::kReading, runtime::kNever};
}

}  // namespace fairlead::generator
