// Accepting: co_await acceptor.accept(), one connection at a time.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <coroutine>

#include "config/endpoint.h"
#include "net/stream.h"

namespace fairlead::net {

struct Accepted {
  int fd = -1;
  sockaddr_storage from;
  socklen_t from_size = 0;
};

class [[nodiscard]] Accept : public runtime::Waiter {
 public:
  explicit Accept(runtime::Channel& channel) : Waiter(&Accept::on_wake), channel_(channel) {}
  bool await_ready() {
    if (!channel_.is_readable() || channel_.is_cancelled() || channel_.burst_is_over()) return false;
    return attempt();
  }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle_ = waiting;
    channel_.wait_readable(*this, runtime::kNever);
  }
  IoResult<Accepted> await_resume() const {
    if (wake_ != runtime::Wake::kReady) return std::unexpected(error_of(wake_));
    if (accepted_.fd < 0) return std::unexpected(runtime::io_error_of(-accepted_.fd));
    return accepted_;
  }

 private:
  bool attempt() {
    accepted_.fd = channel_.try_accept(accepted_.from, accepted_.from_size);
    return accepted_.fd != -EAGAIN;
  }
  static void on_wake(Waiter& waiter, runtime::Wake wake) {
    auto& self = static_cast<Accept&>(waiter);
    self.channel_.begin_burst();
    self.wake_ = wake;
    if (wake == runtime::Wake::kReady && !self.attempt()) return self.channel_.wait_readable(self, runtime::kNever);
    self.handle_.resume();
  }
  runtime::Channel& channel_;
  std::coroutine_handle<> handle_;
  Accepted accepted_;
  runtime::Wake wake_ = runtime::Wake::kReady;
};

// A listening socket of one worker. Owns its descriptor; the socket behind it may have others, here (a Unix socket is
// shared by the workers) or in another process.
class Acceptor {
 public:
  // What is accepted sends small writes at once: that is inherited. (A Unix socket does so anyway.)
  Acceptor(runtime::Loop& loop, int fd) : channel_(loop, fd) {
    loop.driver().set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  // Closing a descriptor does not end the watch on a socket that has another.
  ~Acceptor() {
    if (channel_.is_open()) channel_.loop().driver().unwatch(channel_.fd());
  }
  Accept accept() { return Accept(channel_); }
  void cancel() { channel_.cancel(); }
  runtime::Channel& channel() { return channel_; }

 private:
  runtime::Channel channel_;
};

}  // namespace fairlead::net
