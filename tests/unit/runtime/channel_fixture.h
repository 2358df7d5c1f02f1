// Two hosts of a simulated network with a connection between them, whose one end is a channel.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/channel.h"
#include "test_support/sim_driver.h"

namespace fairlead::runtime {

struct Waiting : Waiter {
  Waiting() : Waiter(&Waiting::on_wake) {}
  static void on_wake(Waiter& waiter, Wake reason) {
    auto& self = static_cast<Waiting&>(waiter);
    self.woken.push_back(reason);
    if (self.then) self.then();
  }
  std::vector<Wake> woken;
  std::function<void()> then;
};

// Two hosts, connected.
class ChannelFixture : public testing::Test {
 protected:
  ChannelFixture() {
    int listening = there_.driver.listen("10.0.0.2:80");
    config::SocketAddress address = there_.driver.local_address(listening).to_socket_address();
    here_fd_ = here_.driver.connect(reinterpret_cast<const sockaddr*>(&address.storage), address.size);
    network_.step();
    sockaddr_storage from;
    socklen_t size = sizeof from;
    there_fd_ = there_.driver.accept(listening, from, size);
    there_.driver.close(listening);
    channel_.emplace(here_.loop, here_fd_);
    settle();
  }
  ~ChannelFixture() override {
    channel_.reset();
    if (there_fd_ >= 0) there_.driver.close(there_fd_);
    EXPECT_TRUE(network_.open_sockets().empty());
  }

  // As long as something happens without time going on.
  void settle() {
    while (network_.step(network_.now())) {
    }
  }
  void peer_sends(std::string_view bytes) {
    ASSERT_EQ(there_.driver.write(there_fd_, std::span(bytes.data(), bytes.size())), std::ssize(bytes));
  }
  std::string read(size_t most) {
    std::string into(most, '\0');
    ssize_t count = channel_->try_read(into);
    into.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return into;
  }
  TimePoint now() { return network_.now(); }

  test_support::SimNetwork network_{1};
  test_support::SimHost here_{network_, "here", "10.0.0.1"};
  test_support::SimHost there_{network_, "there", "10.0.0.2"};
  int here_fd_ = -1;
  int there_fd_ = -1;
  std::optional<Channel> channel_;
};

}  // namespace fairlead::runtime
