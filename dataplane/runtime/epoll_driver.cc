#include "runtime/epoll_driver.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/check.h"
#include "runtime/channel.h"

namespace fairlead::runtime {
namespace {

// An event's data: the generation in the upper half, the descriptor in the lower, whose highest bit is free for this.
constexpr uint64_t kFirst = uint64_t{1} << 31;
constexpr uint32_t kWakeFd = INT32_MAX;

ssize_t or_errno(ssize_t result) { return result < 0 ? -errno : result; }

// The calls that each request makes go to the kernel directly: the C library's functions are cancellation points, and
// in a process with threads each of them pays two atomic operations for that.
ssize_t receive(int fd, std::span<char> into) {
  return or_errno(::syscall(SYS_recvfrom, fd, into.data(), into.size(), 0, nullptr, nullptr));
}

ssize_t send(int fd, std::span<const char> data, int flags = 0) {
  return or_errno(::syscall(SYS_sendto, fd, data.data(), data.size(), MSG_NOSIGNAL | flags, nullptr, 0));
}

ssize_t send(int fd, const msghdr& message) { return or_errno(::syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL)); }

int wait_for_events(int fd, epoll_event* events, int capacity, int timeout_ms) {
  return static_cast<int>(::syscall(SYS_epoll_pwait, fd, events, capacity, timeout_ms, nullptr, 0));
}

void send_small_writes_at_once(int fd, int family) {
  if (family == AF_UNIX) return;
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

EpollDriver::EpollDriver() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  FAIRLEAD_CHECK(epoll_fd_ >= 0 && wake_fd_ >= 0);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = kWakeFd}};
  FAIRLEAD_CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) == 0);
}

EpollDriver::~EpollDriver() {
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

TimePoint EpollDriver::now() { return std::chrono::steady_clock::now(); }

void EpollDriver::wait(TimePoint deadline) {
  int timeout_ms = -1;
  if (deadline != kNever) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now()).count();
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
  }
  pending_ = wait_for_events(epoll_fd_, events_.data(), kEvents, timeout_ms);
  FAIRLEAD_CHECK(pending_ >= 0 || errno == EINTR);
}

// First the channels that asked for it: see Channel::Order.
void EpollDriver::deliver() {
  for (int i = 0; i < pending_; ++i) {
    if ((events_[i].data.u64 & kFirst) != 0) report(events_[i]);
  }
  for (int i = 0; i < pending_; ++i) {
    if ((events_[i].data.u64 & kFirst) == 0) report(events_[i]);
  }
  pending_ = 0;
}

void EpollDriver::report(const epoll_event& event) {
  auto fd = static_cast<uint32_t>(event.data.u64 & ~kFirst);
  auto generation = static_cast<uint32_t>(event.data.u64 >> 32);
  if (fd == kWakeFd) return;  // edge-triggered: nobody has to read the counter
  const Watched& watched = watched_[fd];
  if (!watched.channel || watched.generation != generation) return;
  uint32_t bits = event.events;
  bool ended = (bits & (EPOLLERR | EPOLLHUP)) != 0;
  watched.channel->on_ready(Readiness{.readable = ended || (bits & (EPOLLIN | EPOLLRDHUP)) != 0,
                                      .writable = ended || (bits & EPOLLOUT) != 0,
                                      .end_of_input = ended || (bits & EPOLLRDHUP) != 0,
                                      .hung_up = ended,
                                      .broken = (bits & EPOLLERR) != 0});
}

void EpollDriver::wake() {
  uint64_t one = 1;
  // Fails only where the counter is full, and then the wake is pending anyway.
  [[maybe_unused]] ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

int EpollDriver::watch(int fd, Channel& channel) {
  if (watched_.size() <= static_cast<size_t>(fd)) watched_.resize(std::max<size_t>(2 * watched_.size(), fd + 1));
  Watched& watched = watched_[fd];
  watched.channel = &channel;
  ++watched.generation;
  uint64_t order = channel.order() == Channel::Order::kFirst ? kFirst : 0;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                    .data = {.u64 = uint64_t{watched.generation} << 32 | order | static_cast<uint32_t>(fd)}};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
  watched.channel = nullptr;
  return -errno;
}

void EpollDriver::unwatch(int fd) {
  if (static_cast<size_t>(fd) < watched_.size()) watched_[fd].channel = nullptr;
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);  // fails where it was not watched
}

void EpollDriver::close(int fd) {
  if (static_cast<size_t>(fd) < watched_.size()) watched_[fd].channel = nullptr;
  ::close(fd);
}

ssize_t EpollDriver::read(int fd, std::span<char> into) { return receive(fd, into); }

ssize_t EpollDriver::peek(int fd, std::span<char> into) {
  return or_errno(::recv(fd, into.data(), into.size(), MSG_PEEK));
}

ssize_t EpollDriver::write(int fd, std::span<const char> data) { return send(fd, data); }

ssize_t EpollDriver::write_before_end(int fd, std::span<const char> data) { return send(fd, data, MSG_MORE); }

ssize_t EpollDriver::write(int fd, std::span<const iovec> data) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(data.data());  // the kernel does not change it
  message.msg_iovlen = data.size();
  return send(fd, message);
}

int EpollDriver::shutdown_write(int fd) { return static_cast<int>(or_errno(::shutdown(fd, SHUT_WR))); }

void EpollDriver::reset_on_close(int fd) {
  linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

int EpollDriver::connect(const sockaddr* address, socklen_t size) {
  return connect_from(nullptr, 0, Source::kOwn, address, size);
}

namespace {

bool may_be_anybody(int fd, sa_family_t family) {
  int on = 1;
  return family == AF_INET6 ? setsockopt(fd, SOL_IPV6, IPV6_TRANSPARENT, &on, sizeof on) == 0
                            : setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof on) == 0;
}

}  // namespace

int EpollDriver::connect_from(const sockaddr* source, socklen_t source_size, Source whose, const sockaddr* address,
                              socklen_t size) {
  int fd = ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  send_small_writes_at_once(fd, address->sa_family);
  // The port is chosen when it connects, so that one may be in use towards many servers.
  int on = 1;
  if (source) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  bool may_bind = whose == Source::kOwn || may_be_anybody(fd, address->sa_family);
  bool bound = !source || (may_bind && ::bind(fd, source, source_size) == 0);
  if (bound && (::connect(fd, address, size) == 0 || errno == EINPROGRESS)) return fd;
  int error = errno;
  ::close(fd);
  return -error;
}

int EpollDriver::connect_result(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return -errno;
  return -error;
}

int EpollDriver::accept(int fd, sockaddr_storage& from, socklen_t& size) {
  size = sizeof from;
  int accepted = ::accept4(fd, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted < 0 ? -errno : accepted;
}

int EpollDriver::set_option(int fd, int level, int name, int value) {
  return static_cast<int>(or_errno(setsockopt(fd, level, name, &value, sizeof value)));
}

int EpollDriver::set_backlog(int fd, int backlog) { return static_cast<int>(or_errno(::listen(fd, backlog))); }

int EpollDriver::local_address(int fd, sockaddr_storage& address, socklen_t& size) {
  size = sizeof address;
  return static_cast<int>(or_errno(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size)));
}

}  // namespace fairlead::runtime
