// Channels over real sockets: what the kernel reports, and when.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <optional>
#include <vector>

#include "channel_fixture.h"
#include "test_support/loopback.h"

namespace fairlead::runtime {
namespace {

// What is still on its way when a socket is closed never reaches who gets the number next.
TEST(ChannelOverEpoll, StaleEventsNeverReachTheNextOwnerOfANumber) {
  test_support::EpollHost host;
  for (int round = 0; round < 50; ++round) {
    auto first = test_support::unix_pair();
    auto second = test_support::unix_pair();
    auto later = test_support::unix_pair();
    Channel one(host.loop, first.first);
    Channel two(host.loop, second.first);
    host.loop.turn();  // both are writable; nothing is left to report
    std::optional<Channel> successor;
    Waiting reader_one, reader_two, reader_successor;
    bool replaced = false;
    // Whoever is first closes the other, whose event is in the same batch, and its number is given away.
    auto close_other = [&](Channel& other, Waiting& waiting) {
      if (std::exchange(replaced, true)) return;
      other.stop_waiting(waiting);
      int number = other.fd();
      other.close();
      ASSERT_EQ(::dup2(later.first, number), number);
      ::close(later.first);
      successor.emplace(host.loop, number);
      successor->wait_readable(reader_successor, kNever);
    };
    reader_one.then = [&] { close_other(two, reader_two); };
    reader_two.then = [&] { close_other(one, reader_one); };
    one.wait_readable(reader_one, kNever);
    two.wait_readable(reader_two, kNever);
    ASSERT_EQ(::write(first.second, "x", 1), 1);
    ASSERT_EQ(::write(second.second, "x", 1), 1);
    ASSERT_TRUE(host.run_until([&] { return replaced; }));
    EXPECT_FALSE(successor->is_readable());
    EXPECT_TRUE(reader_successor.woken.empty());
    ASSERT_EQ(::write(later.second, "x", 1), 1);
    ASSERT_TRUE(host.run_until([&] { return !reader_successor.woken.empty(); }));
    for (int fd : {first.second, second.second, later.second}) ::close(fd);
  }
}

TEST(ChannelOverEpoll, ReportsAnEndThatStandsBehindTheBytesTogetherWithThem) {
  for (auto make : {&test_support::unix_pair, &test_support::tcp_pair}) {
    test_support::EpollHost host;
    auto pair = make();
    ASSERT_EQ(::write(pair.second, "x", 1), 1);
    ASSERT_EQ(::shutdown(pair.second, SHUT_WR), 0);
    Channel channel(host.loop, pair.first);
    ASSERT_TRUE(host.run_until([&] { return channel.end_of_input(); }));
    std::array<char, 10> into;
    EXPECT_EQ(channel.try_read(into), 1);
    EXPECT_TRUE(channel.is_readable());
    EXPECT_EQ(channel.try_read(into), 0);
    ::close(pair.second);
  }
}

TEST(ChannelOverEpoll, BreaksWithAHangUpWhereThePeerResets) {
  test_support::EpollHost host;
  auto pair = test_support::tcp_pair();
  auto other = test_support::tcp_pair();
  Channel channel(host.loop, pair.first);
  Channel victim(host.loop, other.first);
  channel.on_hang_up_cancel(&victim);
  linger reset{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(setsockopt(pair.second, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
  ::close(pair.second);
  ASSERT_TRUE(host.run_until([&] { return victim.is_cancelled(); }));
  EXPECT_TRUE(channel.is_readable());
  std::array<char, 10> into;
  EXPECT_EQ(io_error_of(static_cast<int>(-channel.try_read(into))), IoError::kReset);
  ::close(other.second);
}

TEST(ChannelOverEpoll, ASocketThatCannotBeWatchedFailsEveryOperation) {
  test_support::EpollHost host;
  FILE* file = std::tmpfile();  // epoll refuses files
  Channel channel(host.loop, ::dup(fileno(file)));
  std::fclose(file);
  Waiting reader;
  channel.wait_readable(reader, kNever);
  ASSERT_TRUE(host.run_until([&] { return !reader.woken.empty(); }));
  EXPECT_EQ(reader.woken, std::vector{Wake::kCancelled});
}

}  // namespace
}  // namespace fairlead::runtime
