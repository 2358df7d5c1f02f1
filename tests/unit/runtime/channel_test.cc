#include "runtime/channel.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "channel_fixture.h"

namespace fairlead::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ChannelTest = ChannelFixture;

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

TEST_F(ChannelTest, AVictimThatIsNamedTooLateIsCancelledAtOnce) {
  Channel first(there_.loop, std::exchange(there_fd_, -1));
  here_.driver.reset(channel_->fd());
  settle();
  ASSERT_TRUE(channel_->is_hung_up());
  channel_->on_hang_up_cancel(&first);
  EXPECT_TRUE(first.is_cancelled());
  channel_->on_hang_up_cancel(nullptr);
}

TEST_F(ChannelTest, WhoWatchesAPeerIsWokenOnceWhenItLeaves) {
  Waiting watcher;
  channel_->on_leave_wake(&watcher);
  there_.driver.shutdown_write(there_fd_);
  settle();
  EXPECT_TRUE(channel_->end_of_input());
  EXPECT_TRUE(watcher.woken.empty()) << "half of it is left";
  // Now that counts, and has happened.
  channel_->on_leave_wake(&watcher, /*at_end_of_input=*/true);
  settle();
  EXPECT_EQ(watcher.woken, std::vector{Wake::kCancelled});
  channel_->on_leave_wake(&watcher);
  channel_->cancel();
  channel_->cancel();
  settle();
  EXPECT_EQ(watcher.woken.size(), 2u);
}

TEST_F(ChannelTest, AHalfCloseWakesWhoWatchesForIt) {
  Waiting watcher;
  channel_->on_leave_wake(&watcher, /*at_end_of_input=*/true);
  peer_sends("more");
  settle();
  EXPECT_TRUE(watcher.woken.empty());
  there_.driver.shutdown_write(there_fd_);
  settle();
  EXPECT_EQ(watcher.woken, std::vector{Wake::kCancelled});
  here_.driver.reset(channel_->fd());
  settle();
  EXPECT_EQ(watcher.woken.size(), 1u);
  channel_->on_leave_wake(nullptr);
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

}  // namespace
}  // namespace fairlead::runtime
