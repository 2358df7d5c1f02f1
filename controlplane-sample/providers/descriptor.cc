#include "providers/descriptor.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "absl/time/clock.h"

namespace fairlead::providers {
namespace {

// Rounded up: a wait that ends before its deadline would spin.
int milliseconds_until(absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return -1;
  const absl::Duration left = absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1));
  return static_cast<int>(std::clamp<std::int64_t>(absl::ToInt64Milliseconds(left), 0, 3'600'000));
}

bool poll_until(std::vector<pollfd>& polled, absl::Time deadline) {
  while (true) {
    const int ready = poll(polled.data(), polled.size(), milliseconds_until(deadline));
    if (ready > 0) return true;
    if (ready == 0 && absl::Now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

Descriptor make_event() { return Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

void set_event(const Descriptor& event) { eventfd_write(event.get(), 1); }

int wait_readable(std::initializer_list<int> fds, absl::Time deadline) {
  std::vector<pollfd> polled;
  for (const int fd : fds) polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  if (!poll_until(polled, deadline)) return -1;
  const auto ready = std::ranges::find_if(polled, [](const pollfd& entry) { return entry.revents != 0; });
  return static_cast<int>(ready - polled.begin());
}

bool wait_writable(int fd, absl::Time deadline) {
  std::vector<pollfd> polled = {{.fd = fd, .events = POLLOUT, .revents = 0}};
  return poll_until(polled, deadline);
}

}  // namespace fairlead::providers
