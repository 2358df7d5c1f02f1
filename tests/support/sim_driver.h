// A host of the simulated network: the sockets of one worker or peer, as runtime::Driver. SimHost has the loop with it.
//
// Descriptors are small numbers of this driver, the lowest free one first as in the kernel, so that a number is soon
// used again. Edges are reported as epoll does it: what changed since the last wait(), with all that holds then.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/driver.h"
#include "runtime/loop.h"
#include "test_support/sim_network.h"

namespace fairlead::test_support {

class SimDriver : public runtime::Driver {
 public:
  // `address`: where its connections come from.
  SimDriver(SimNetwork& network, std::string name, std::string_view address);
  ~SimDriver() override;

  // The loop that step() turns.
  void set_loop(runtime::Loop* loop) { loop_ = loop; }
  // Called when a turn of the loop begins (true) and when it is over.
  void set_turn_observer(std::function<void(bool begins)> observer) { turn_observer_ = std::move(observer); }

  // A listening socket; port 0 takes a free one. Several may share an address: connections are spread over them.
  int listen(const config::Endpoint& address);
  int listen(std::string_view address) { return listen(config::Endpoint::parse(address).value()); }
  config::Endpoint local_address(int fd) const;
  // Breaks a connection of this host as if the network did.
  void reset(int fd);
  size_t open_count() const;
  // Of connections.
  std::vector<int> descriptors() const;

  runtime::TimePoint now() override { return network_.now(); }
  void wait(runtime::TimePoint deadline) override;
  void deliver() override;
  void wake() override;
  int watch(int fd, runtime::Channel& channel) override;
  void unwatch(int fd) override { socket(fd).channel = nullptr; }
  void close(int fd) override;
  ssize_t read(int fd, std::span<char> into) override;
  ssize_t peek(int fd, std::span<char> into) override;
  ssize_t write(int fd, std::span<const char> data) override;
  ssize_t write(int fd, std::span<const iovec> data) override;
  int shutdown_write(int fd) override;
  void reset_on_close(int fd) override;
  int connect(const sockaddr* address, socklen_t size) override;
  int connect_from(const sockaddr* source, socklen_t source_size, runtime::Source whose, const sockaddr* address,
                   socklen_t size) override;
  int connect_result(int fd) override;
  int accept(int fd, sockaddr_storage& from, socklen_t& size) override;
  // Remembered, and without effect.
  int set_option(int fd, int level, int name, int value) override;
  int set_backlog(int fd, int backlog) override;
  std::optional<int> option(int fd, int level, int name) const;
  std::optional<int> backlog(int fd) const { return sockets_[fd].backlog; }
  int local_address(int fd, sockaddr_storage& address, socklen_t& size) override;

  // From the network.
  void turn();
  void signal(int fd);
  runtime::TimePoint waits_until() const { return waits_until_; }
  void list_open(std::vector<std::string>& into) const;

 private:
  struct Socket {
    bool open = false;
    SimEnd end;                             // of a connection,
    std::shared_ptr<SimListener> listener;  // or this
    runtime::Channel* channel = nullptr;
    uint32_t generation = 0;
    bool signalled = false;
    std::map<std::pair<int, int>, int> options = {};
    std::optional<int> backlog = {};
  };
  struct Pending {
    int fd;
    uint32_t generation;
    runtime::Readiness readiness;
  };

  // Negative when there is none left.
  int take_descriptor();
  Socket& socket(int fd);
  runtime::Readiness readiness_of(const Socket& socket) const;

  SimNetwork& network_;
  std::string name_;
  config::Endpoint address_;
  runtime::Loop* loop_ = nullptr;
  std::function<void(bool)> turn_observer_;
  std::vector<Socket> sockets_;
  std::vector<int> signalled_;
  std::vector<Pending> pending_;
  runtime::TimePoint waits_until_ = runtime::kNever;
  bool woken_ = false;
};

struct SimHost {
  SimHost(SimNetwork& network, std::string name, std::string_view address)
      : driver(network, std::move(name), address), loop(driver) {
    driver.set_loop(&loop);
  }
  ~SimHost() { driver.set_loop(nullptr); }

  SimDriver driver;
  runtime::Loop loop;
};

}  // namespace fairlead::test_support
