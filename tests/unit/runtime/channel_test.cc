#include "runtime/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "test_support/loopback.h"
#include "test_support/sim_driver.h"

namespace fairlead::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test_support::SimHost;
using test_support::SimNetwork;

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
class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
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
  ~ChannelTest() override {
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

  SimNetwork network_{1};
  SimHost here_{network_, "here", "10.0.0.1"};
  SimHost there_{network_, "there", "10.0.0.2"};
  int here_fd_ = -1;
  int there_fd_ = -1;
  std::optional<Channel> channel_;
};

TEST_F(ChannelTest, IsWritableFromTheStartAndReadableWhenBytesArrive) {
  EXPECT_TRUE(channel_->is_writable());
  EXPECT_FALSE(channel_->is_readable());
  Waiting reader;
  channel_->wait_readable(reader, kNever);
  settle();
  EXPECT_TRUE(reader.woken.empty());
  peer_sends("hello");
  settle();
  EXPECT_EQ(reader.woken, std::vector{Wake::kReady});
  EXPECT_EQ(read(5), "hello");
  EXPECT_TRUE(channel_->is_readable());  // as far as is known
  EXPECT_EQ(read(5), "");
  EXPECT_FALSE(channel_->is_readable());
}

TEST_F(ChannelTest, AShortReadMeansEmpty) {
  peer_sends("hello");
  settle();
  EXPECT_EQ(read(100), "hello");
  EXPECT_FALSE(channel_->is_readable());
}

TEST_F(ChannelTest, AnEndBehindTheBytesIsFoundWithoutAnotherEvent) {
  peer_sends("hello");
  there_.driver.shutdown_write(there_fd_);
  settle();
  EXPECT_TRUE(channel_->end_of_input());
  EXPECT_EQ(read(100), "hello");
  EXPECT_TRUE(channel_->is_readable());
  EXPECT_EQ(read(100), "");
}

TEST_F(ChannelTest, AnEndThatComesAfterAShortReadIsAnEvent) {
  peer_sends("hello");
  settle();
  EXPECT_EQ(read(100), "hello");
  Waiting reader;
  channel_->wait_readable(reader, kNever);
  there_.driver.shutdown_write(there_fd_);
  settle();
  EXPECT_EQ(reader.woken, std::vector{Wake::kReady});
}

TEST_F(ChannelTest, AWaiterThatFindsItReadyIsWokenLaterAndNotFromInside) {
  peer_sends("hello");
  settle();
  Waiting reader;
  channel_->wait_readable(reader, kNever);
  EXPECT_TRUE(reader.woken.empty());
  here_.loop.turn();
  EXPECT_EQ(reader.woken, std::vector{Wake::kReady});
}

TEST_F(ChannelTest, TimesOutEachDirectionAtItsOwnTime) {
  std::string much(1'000'000, 'x');
  EXPECT_LT(channel_->try_write(std::span<const char>(much)), std::ssize(much));
  EXPECT_FALSE(channel_->is_writable());
  Waiting reader, writer;
  TimePoint start = now();
  std::vector<TimePoint> at;
  reader.then = writer.then = [&] { at.push_back(now()); };
  channel_->wait_readable(reader, start + seconds(5));
  channel_->wait_writable(writer, start + seconds(2));
  network_.run_for(seconds(10));
  EXPECT_EQ(writer.woken, std::vector{Wake::kTimedOut});
  EXPECT_EQ(reader.woken, std::vector{Wake::kTimedOut});
  EXPECT_EQ(at, (std::vector{start + seconds(2), start + seconds(5)}));
}

// Its timer stands at the first deadline and is moved only when it fires; no wait times out early for that, or late.
TEST_F(ChannelTest, ALaterDeadlineAfterEarlierOnesHolds) {
  for (int i = 0; i < 20; ++i) {
    Waiting reader;
    channel_->wait_readable(reader, now() + seconds(1));
    network_.run_for(milliseconds(300));
    peer_sends("x");
    settle();
    ASSERT_EQ(reader.woken, std::vector{Wake::kReady});
    EXPECT_EQ(read(2), "x");
  }
  TimePoint start = now();
  TimePoint woken_at;
  Waiting reader;
  reader.then = [&] { woken_at = now(); };
  channel_->wait_readable(reader, start + milliseconds(1'700));
  network_.run_for(seconds(5));
  EXPECT_EQ(reader.woken, std::vector{Wake::kTimedOut});
  EXPECT_EQ(woken_at, start + milliseconds(1'700));
}

TEST_F(ChannelTest, AnEarlierDeadlineAfterALaterOneHolds) {
  Waiting first;
  channel_->wait_readable(first, now() + seconds(60));
  peer_sends("x");
  settle();
  EXPECT_EQ(read(2), "x");
  Waiting second;
  channel_->wait_readable(second, now() + seconds(1));
  network_.run_for(milliseconds(999));
  EXPECT_TRUE(second.woken.empty());
  network_.run_for(milliseconds(2));
  EXPECT_EQ(second.woken, std::vector{Wake::kTimedOut});
}

TEST_F(ChannelTest, CancelWakesBothLaterAndFailsEveryFurtherWait) {
  std::string much(1'000'000, 'x');
  channel_->try_write(std::span<const char>(much));
  Waiting reader, writer, late;
  channel_->wait_readable(reader, kNever);
  channel_->wait_writable(writer, kNever);
  channel_->cancel();
  EXPECT_TRUE(reader.woken.empty());
  channel_->cancel();
  settle();
  EXPECT_EQ(reader.woken, std::vector{Wake::kCancelled});
  EXPECT_EQ(writer.woken, std::vector{Wake::kCancelled});
  channel_->wait_readable(late, kNever);
  settle();
  EXPECT_EQ(late.woken, std::vector{Wake::kCancelled});
}

TEST_F(ChannelTest, AWaiterThatIsTakenBackIsNotWoken) {
  Waiting reader;
  channel_->wait_readable(reader, now() + seconds(1));
  channel_->stop_waiting(reader);
  peer_sends("x");
  network_.run_for(seconds(2));
  EXPECT_TRUE(reader.woken.empty());
  channel_->wait_readable(reader, kNever);  // ready: in the queue now
  channel_->stop_waiting(reader);
  settle();
  EXPECT_TRUE(reader.woken.empty());
}

TEST_F(ChannelTest, AHangUpCancelsTheVictimAndAHalfCloseDoesNot) {
  Channel victim(there_.loop, std::exchange(there_fd_, -1));
  channel_->on_hang_up_cancel(&victim);
  there_.driver.shutdown_write(victim.fd());
  settle();
  EXPECT_TRUE(channel_->end_of_input());
  EXPECT_FALSE(victim.is_cancelled());
  here_.driver.reset(channel_->fd());
  settle();
  EXPECT_TRUE(victim.is_cancelled());
  channel_->on_hang_up_cancel(nullptr);
}

// The kernel reports a reset once: after a failed write, reading looks like a proper end.
TEST_F(ChannelTest, AResetThatAWriteSawIsKnownToWhoReads) {
  here_.driver.reset(channel_->fd());
  EXPECT_FALSE(channel_->is_hung_up());
  EXPECT_EQ(channel_->try_write(std::span("x", 1)), -ECONNRESET);
  EXPECT_TRUE(channel_->is_hung_up());
  std::array<char, 10> into;
  EXPECT_EQ(channel_->try_read(into), 0);
}

// Both wake in one event, and the reader, which is first, takes the channel down.
TEST_F(ChannelTest, TheFirstToWakeMayCloseTheChannel) {
  std::string much(1'000'000, 'x');
  channel_->try_write(std::span<const char>(much));
  Waiting reader, writer;
  channel_->wait_readable(reader, kNever);
  channel_->wait_writable(writer, kNever);
  reader.then = [&] {
    channel_->stop_waiting(writer);
    channel_.reset();
  };
  here_.driver.reset(channel_->fd());
  settle();
  EXPECT_EQ(reader.woken, std::vector{Wake::kReady});
  EXPECT_TRUE(writer.woken.empty());
}

TEST_F(ChannelTest, ABurstEndsAfterItsLimitAndAnEventBeginsANewOne) {
  int operations = 0;
  while (!channel_->burst_is_over()) ++operations;
  EXPECT_EQ(operations, 32);
  EXPECT_TRUE(channel_->burst_is_over());
  peer_sends("x");
  settle();
  EXPECT_FALSE(channel_->burst_is_over());
}

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
