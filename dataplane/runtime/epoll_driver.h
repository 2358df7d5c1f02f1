// The driver over the kernel: epoll, edge-triggered. Each socket is registered once, in both directions, so that steady
// traffic makes no epoll_ctl call.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <vector>

#include "runtime/driver.h"

namespace fairlead::runtime {

class EpollDriver : public Driver {
 public:
  EpollDriver();
  ~EpollDriver() override;

  TimePoint now() override;
  void wait(TimePoint deadline) override;
  void deliver() override;
  void wake() override;
  int watch(int fd, Channel& channel) override;
  void unwatch(int fd) override;
  void close(int fd) override;
  ssize_t read(int fd, std::span<char> into) override;
  ssize_t peek(int fd, std::span<char> into) override;
  ssize_t write(int fd, std::span<const char> data) override;
  ssize_t write(int fd, std::span<const iovec> data) override;
  ssize_t write_before_end(int fd, std::span<const char> data) override;
  int shutdown_write(int fd) override;
  void reset_on_close(int fd) override;
  int connect(const sockaddr* address, socklen_t size) override;
  int connect_from(const sockaddr* source, socklen_t source_size, Source whose, const sockaddr* address,
                   socklen_t size) override;
  int connect_result(int fd) override;
  int accept(int fd, sockaddr_storage& from, socklen_t& size) override;
  int set_option(int fd, int level, int name, int value) override;
  int set_backlog(int fd, int backlog) override;
  int local_address(int fd, sockaddr_storage& address, socklen_t& size) override;

 private:
  // By descriptor. An event names the generation that it was registered with, so that one which is still on its way
  // when its socket is closed never reaches the next owner of the number.
  struct Watched {
    Channel* channel = nullptr;
    uint32_t generation = 0;
  };
  static constexpr int kEvents = 256;

  void report(const epoll_event& event);

  int epoll_fd_;
  int wake_fd_;
  std::vector<Watched> watched_;
  std::array<epoll_event, kEvents> events_;
  int pending_ = 0;
};

}  // namespace fairlead::runtime
