// Real sockets inside the process, and a loop over epoll, for tests of what the kernel does.
#pragma once

#include <functional>

#include "runtime/epoll_driver.h"
#include "runtime/loop.h"

namespace fairlead::test_support {

// Connected and non-blocking. Whoever takes one over closes it.
struct SocketPair {
  int first = -1;
  int second = -1;
};
SocketPair unix_pair();
// Over 127.0.0.1; `first` connected.
SocketPair tcp_pair();

struct EpollHost {
  EpollHost() : loop(driver) {}
  // Turns until the condition holds; false where it does not within ten seconds, which is a bug.
  bool run_until(const std::function<bool()>& condition);

  runtime::EpollDriver driver;
  runtime::Loop loop;
};

}  // namespace fairlead::test_support
