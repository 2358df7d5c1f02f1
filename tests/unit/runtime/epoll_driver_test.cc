// What the kernel tells a channel, and in which order.
#include "runtime/epoll_driver.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "runtime/channel.h"
#include "test_support/loopback.h"

namespace fairlead::runtime {
namespace {

using test_support::EpollHost;
using test_support::SocketPair;

// Notes when it is woken.
struct Noting : Waiter {
  Noting(std::string& all, char name) : Waiter(&Noting::on_wake), order(all), mark(name) {}
  static void on_wake(Waiter& waiter, Wake) {
    auto& self = static_cast<Noting&>(waiter);
    self.order += self.mark;
  }
  std::string& order;
  char mark;
};

TEST(EpollDriver, DeliversToTheChannelsThatComeFirstBeforeAllOthers) {
  EpollHost host;
  std::array<SocketPair, 4> pairs{test_support::tcp_pair(), test_support::tcp_pair(), test_support::tcp_pair(),
                                  test_support::tcp_pair()};
  Channel a(host.loop, pairs[0].first);
  Channel b(host.loop, pairs[1].first, Channel::Order::kFirst);
  Channel c(host.loop, pairs[2].first);
  Channel d(host.loop, pairs[3].first, Channel::Order::kFirst);
  host.loop.turn();  // writable, which nobody waits for
  std::string order;
  Noting at_a(order, 'a'), at_b(order, 'b'), at_c(order, 'c'), at_d(order, 'd');
  a.wait_readable(at_a, kNever);
  b.wait_readable(at_b, kNever);
  c.wait_readable(at_c, kNever);
  d.wait_readable(at_d, kNever);
  // The kernel tells of them in this order.
  for (const SocketPair& pair : pairs) ASSERT_EQ(::send(pair.second, "x", 1, 0), 1);
  ASSERT_TRUE(host.run_until([&] { return order.size() == 4; }));
  EXPECT_EQ(order, "bdac");
  for (const SocketPair& pair : pairs) ::close(pair.second);
}

// Of a Unix socket the kernel says that it hung up also where the peer closed it properly.
TEST(EpollDriver, AProperEndIsNoBreak) {
  for (bool tcp : {true, false}) {
    SocketPair pair = tcp ? test_support::tcp_pair() : test_support::unix_pair();
    EpollHost host;
    Channel channel(host.loop, pair.first);
    ::close(pair.second);
    ASSERT_TRUE(host.run_until([&] { return channel.end_of_input(); }));
    EXPECT_FALSE(channel.is_broken());
    std::array<char, 10> into;
    EXPECT_EQ(channel.try_read(into), 0);
    EXPECT_FALSE(channel.is_broken());
  }
}

TEST(EpollDriver, TheLastBytesGoOutWithTheEnd) {
  for (bool shuts_down : {true, false}) {
    EpollHost host;
    SocketPair pair = test_support::tcp_pair();
    Channel channel(host.loop, pair.first);
    std::array<char, 10> into;
    channel.expect_end();
    ASSERT_EQ(channel.try_write(std::span<const char>("last", 4)), 4);
    EXPECT_EQ(::recv(pair.second, into.data(), into.size(), MSG_DONTWAIT), -1);
    if (shuts_down) {
      channel.shutdown_write();
    } else {
      channel.close();
    }
    EXPECT_EQ(::recv(pair.second, into.data(), into.size(), 0), 4);
    EXPECT_EQ(::recv(pair.second, into.data(), into.size(), MSG_DONTWAIT), 0);
    ::close(pair.second);
  }
}

TEST(EpollDriver, AResetIsABreakBeforeAnybodyReads) {
  EpollHost host;
  SocketPair pair = test_support::tcp_pair();
  Channel channel(host.loop, pair.first);
  linger reset{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(setsockopt(pair.second, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
  ::close(pair.second);
  ASSERT_TRUE(host.run_until([&] { return channel.is_hung_up(); }));
  EXPECT_TRUE(channel.is_broken());
}

}  // namespace
}  // namespace fairlead::runtime
