#include "test_support/loopback.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace fairlead::test_support {
namespace {

struct Guard : runtime::Timer {
  Guard() : Timer([](Timer& timer) { static_cast<Guard&>(timer).fired = true; }) {}
  bool fired = false;
};

}  // namespace

SocketPair unix_pair() {
  int fds[2];
  FAIRLEAD_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  return {fds[0], fds[1]};
}

SocketPair tcp_pair() {
  int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  FAIRLEAD_CHECK(listening >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  FAIRLEAD_CHECK(::bind(listening, generic, size) == 0 && ::listen(listening, 1) == 0);
  FAIRLEAD_CHECK(getsockname(listening, generic, &size) == 0);
  SocketPair pair;
  pair.first = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  FAIRLEAD_CHECK(pair.first >= 0);
  FAIRLEAD_CHECK(::connect(pair.first, generic, size) == 0);
  pair.second = ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  FAIRLEAD_CHECK(pair.second >= 0 && fcntl(pair.first, F_SETFL, O_NONBLOCK) == 0);
  ::close(listening);
  return pair;
}

bool EpollHost::run_until(const std::function<bool()>& condition) {
  Guard guard;
  loop.timers().schedule(guard, driver.now() + std::chrono::seconds(10));
  while (!condition() && !guard.fired) loop.turn();
  return condition();
}

}  // namespace fairlead::test_support
