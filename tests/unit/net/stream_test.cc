#include "net/stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/acceptor.h"
#include "runtime/scope.h"
#include "runtime/sleep.h"
#include "runtime/task.h"
#include "test_support/loopback.h"
#include "test_support/random_transfers.h"
#include "test_support/sim_driver.h"

namespace fairlead::net {
namespace {

using runtime::kNever;
using runtime::Scope;
using runtime::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test_support::EpollHost;
using test_support::Random;
using test_support::SimFaults;
using test_support::SimHost;
using test_support::SimNetwork;

using test_support::random_bytes;
using test_support::receive;
using test_support::Received;
using test_support::transmit;

constexpr size_t kLargestPart = 20'000;

// Both ends write much and read it all, at once.
struct Exchange {
  Exchange(runtime::Loop& first, int first_fd, runtime::Loop& second, int second_fd, Random& chance)
      : random(chance), left(first, first_fd), right(second, second_fd), scope(first) {}
  void start(size_t size) {
    to_right = random_bytes(random, size);
    to_left = random_bytes(random, size / 2);
    scope.spawn(receive(left, random, 30'000, at_left));
    scope.spawn(receive(right, random, 3'000, at_right));
    scope.spawn(transmit(left, random, kLargestPart, to_right, sent_left));
    scope.spawn(transmit(right, random, kLargestPart, to_left, sent_right));
  }
  void expect_all() const {
    EXPECT_TRUE(at_right.ended && at_left.ended);
    EXPECT_TRUE(at_right.bytes == to_right);
    EXPECT_TRUE(at_left.bytes == to_left);
    EXPECT_TRUE(sent_left && sent_right);
  }
  Random& random;
  Stream left;
  Stream right;
  std::string to_right;
  std::string to_left;
  Received at_left;
  Received at_right;
  IoResult<void> sent_left;
  IoResult<void> sent_right;
  Scope scope;
};

TEST(StreamOverEpoll, CarriesBytesInBothDirectionsAtOnce) {
  for (auto make : {&test_support::unix_pair, &test_support::tcp_pair}) {
    Random random(1);
    EpollHost host;
    auto pair = make();
    Exchange exchange(host.loop, pair.first, host.loop, pair.second, random);
    exchange.start(3'000'000);
    ASSERT_TRUE(host.run_until([&] { return exchange.scope.running() == 0; }));
    exchange.expect_all();
  }
}

TEST(StreamOverEpoll, AStreamThatIsAlwaysReadyLetsOthersRun) {
  EpollHost host;
  auto busy = test_support::unix_pair();
  auto quiet = test_support::unix_pair();
  Stream first(host.loop, busy.first);
  Stream second(host.loop, quiet.first);
  ASSERT_EQ(::write(busy.second, std::string(100'000, 'x').data(), 100'000), 100'000);
  ASSERT_EQ(::write(quiet.second, "x", 1), 1);
  ::close(busy.second);
  ::close(quiet.second);
  Random random(1);
  Received one, two;
  Scope scope(host.loop);
  scope.spawn(receive(first, random, 1, one));  // a byte at a time
  scope.spawn(receive(second, random, 1, two));
  ASSERT_TRUE(host.run_until([&] { return two.ended; }));
  EXPECT_LT(one.bytes.size(), 1'000u);
  ASSERT_TRUE(host.run_until([&] { return one.ended; }));
  EXPECT_EQ(one.bytes.size(), 100'000u);
}

TEST(StreamOverEpoll, AWriteToAClosedPeerFails) {
  EpollHost host;
  auto pair = test_support::unix_pair();
  Stream stream(host.loop, pair.first);
  ::close(pair.second);
  Random random(1);
  IoResult<void> sent;
  Scope scope(host.loop);
  scope.spawn(transmit(stream, random, kLargestPart, "hello", sent));
  ASSERT_TRUE(host.run_until([&] { return scope.running() == 0; }));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error(), IoError::kReset);
}

// A connection of the simulated network.
struct SimPair {
  explicit SimPair(uint64_t seed, SimFaults faults = {}) : network(seed) {
    int listening = second.driver.listen("10.0.0.2:80");
    config::SocketAddress address = second.driver.local_address(listening).to_socket_address();
    first_fd = first.driver.connect(reinterpret_cast<const sockaddr*>(&address.storage), address.size);
    network.faults() = faults;
    // Capacities are drawn at the connect; so it comes after the faults are known.
    first.driver.close(first_fd);
    first_fd = first.driver.connect(reinterpret_cast<const sockaddr*>(&address.storage), address.size);
    sockaddr_storage from;
    socklen_t size = sizeof from;
    EXPECT_TRUE(network.run_until([&] { return (second_fd = second.driver.accept(listening, from, size)) >= 0; }));
    second.driver.close(listening);
  }
  SimNetwork network;
  SimHost first{network, "first", "10.0.0.1"};
  SimHost second{network, "second", "10.0.0.2"};
  int first_fd = -1;
  int second_fd = -1;
};

class StreamOverRoughNetwork : public testing::TestWithParam<uint64_t> {};

TEST_P(StreamOverRoughNetwork, LosesNothing) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  for (uint64_t seed = GetParam() * 20; seed < GetParam() * 20 + 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    SimPair pair(seed, SimFaults::rough(random));
    {
      Exchange exchange(pair.first.loop, pair.first_fd, pair.second.loop, pair.second_fd, random);
      exchange.start(random.between(0, 100'000));
      ASSERT_TRUE(pair.network.run_until([&] { return exchange.scope.running() == 0; }, std::chrono::hours(24 * 365)));
      exchange.expect_all();
    }
    EXPECT_TRUE(pair.network.open_sockets().empty());
  }
}

TEST_P(StreamOverRoughNetwork, EndsEverywhereWhereAResetComesAtAnyTime) {
  for (uint64_t seed = GetParam() * 50; seed < GetParam() * 50 + 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    SimFaults faults = SimFaults::rough(random);
    faults.reset = 0.02;
    SimPair pair(seed, faults);
    {
      Exchange exchange(pair.first.loop, pair.first_fd, pair.second.loop, pair.second_fd, random);
      exchange.start(random.between(0, 50'000));
      ASSERT_TRUE(pair.network.run_until([&] { return exchange.scope.running() == 0; }, std::chrono::hours(24 * 365)));
      // What arrived is the beginning of what was sent.
      EXPECT_TRUE(exchange.to_right.starts_with(exchange.at_right.bytes));
      EXPECT_TRUE(exchange.to_left.starts_with(exchange.at_left.bytes));
      EXPECT_TRUE(!exchange.at_right.ended || exchange.at_right.bytes == exchange.to_right);
      EXPECT_TRUE(!exchange.at_left.ended || exchange.at_left.bytes == exchange.to_left);
    }
    EXPECT_TRUE(pair.network.open_sockets().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StreamOverRoughNetwork, testing::Range(uint64_t{1}, uint64_t{21}));

class StreamTest : public testing::Test {
 protected:
  SimPair pair_{1};
  Random random_{1};
  Stream stream_{pair_.first.loop, pair_.first_fd};
  Stream peer_{pair_.second.loop, pair_.second_fd};
  Scope scope_{pair_.first.loop};
};

Task<void> read_once(Stream& stream, TimePoint deadline, IoResult<size_t>& result) {
  std::array<char, 100> into;
  result = co_await stream.read_some(into, deadline);
}

TEST_F(StreamTest, AReadTimesOutAtItsDeadline) {
  IoResult<size_t> result;
  TimePoint start = pair_.network.now();
  scope_.spawn(read_once(stream_, start + seconds(3), result));
  ASSERT_TRUE(pair_.network.run_until([&] { return scope_.running() == 0; }));
  EXPECT_EQ(result, std::unexpected(IoError::kTimedOut));
  EXPECT_EQ(pair_.network.now(), start + seconds(3));
}

TEST_F(StreamTest, CancelEndsAReadAndAWriteAndEverythingAfter) {
  IoResult<size_t> read;
  IoResult<void> written;
  std::string much(1'000'000, 'x');
  scope_.spawn(read_once(stream_, kNever, read));
  scope_.spawn(transmit(stream_, random_, kLargestPart, much, written));
  pair_.network.run_for(seconds(1));
  EXPECT_EQ(scope_.running(), 2u);
  stream_.cancel();
  ASSERT_TRUE(pair_.network.run_until([&] { return scope_.running() == 0; }));
  EXPECT_EQ(read, std::unexpected(IoError::kCancelled));
  EXPECT_EQ(written.error(), IoError::kCancelled);
  scope_.spawn(read_once(stream_, kNever, read));
  ASSERT_TRUE(pair_.network.run_until([&] { return scope_.running() == 0; }));
  EXPECT_EQ(read, std::unexpected(IoError::kCancelled));
}

Task<void> write_once(Stream& stream, std::string_view bytes, runtime::Duration patience, IoResult<void>& result) {
  result = co_await stream.write_all(bytes, patience);
}
Task<void> read_slowly(Stream& stream, SimNetwork& network, int rounds, size_t& total) {
  std::vector<char> into(50'000);
  for (int i = 0; i < rounds; ++i) {
    TimePoint until = network.now() + seconds(2);
    co_await runtime::Sleep(stream.loop(), until);
    IoResult<size_t> count = co_await stream.read_some(into, kNever);
    if (!count) co_return;
    total += *count;
  }
}

TEST_F(StreamTest, AWritesPatienceCountsFromTheLastProgress) {
  IoResult<void> result;
  size_t total = 0;
  std::string much(1'000'000, 'x');
  TimePoint start = pair_.network.now();
  scope_.spawn(write_once(stream_, much, seconds(5), result));
  scope_.spawn(read_slowly(peer_, pair_.network, 10, total));  // for twenty seconds
  ASSERT_TRUE(pair_.network.run_until([&] { return scope_.running() == 0; }));
  EXPECT_EQ(result, IoResult<void>(std::unexpected(IoError::kTimedOut)));
  EXPECT_GE(total, 300'000u);
  EXPECT_GE(pair_.network.now(), start + seconds(20));
  EXPECT_LE(pair_.network.now(), start + seconds(25) + milliseconds(1));
}

TEST_F(StreamTest, WritingNothingSucceedsAtOnce) {
  IoResult<void> result = std::unexpected(IoError::kReset);
  scope_.spawn(write_once(stream_, "", seconds(1), result));
  EXPECT_TRUE(result);
  EXPECT_EQ(scope_.running(), 0u);
}

TEST_F(StreamTest, ReadingGoesOnAfterAShutdown) {
  IoResult<size_t> read;
  stream_.shutdown_write();
  pair_.network.run_for(seconds(1));
  IoResult<void> written;
  scope_.spawn(write_once(peer_, "answer", seconds(1), written));
  scope_.spawn(read_once(stream_, kNever, read));
  ASSERT_TRUE(pair_.network.run_until([&] { return scope_.running() == 0; }));
  EXPECT_EQ(read, IoResult<size_t>(6));
}

}  // namespace
}  // namespace fairlead::net
