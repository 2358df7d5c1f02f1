#include "observe/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::observe {
namespace {

// Every count has another value, so that one that is forgotten or mixed up shows.
Counters make_counters(uint64_t base) {
  Counters counters;
  counters.started = base + 1;
  counters.finished = base + 2;
  for (int i = 0; i < kFailures; ++i) counters.failed[i] = base + 10 + i;
  counters.retried = base + 3;
  for (size_t i = 0; i < counters.statuses.size(); ++i) counters.statuses[i] = base + 20 + i;
  counters.bytes_from_clients = base + 4;
  counters.bytes_to_clients = base + 5;
  counters.cut_off = base + 6;
  counters.in_flight = base + 7;
  for (uint64_t i = 0; i <= base; ++i) counters.latency.record(i);
  return counters;
}

void expect_equal(const Counters& a, const Counters& b) {
  EXPECT_EQ(a.started, b.started);
  EXPECT_EQ(a.finished, b.finished);
  EXPECT_EQ(a.failed, b.failed);
  EXPECT_EQ(a.retried, b.retried);
  EXPECT_EQ(a.statuses, b.statuses);
  EXPECT_EQ(a.bytes_from_clients, b.bytes_from_clients);
  EXPECT_EQ(a.bytes_to_clients, b.bytes_to_clients);
  EXPECT_EQ(a.cut_off, b.cut_off);
  EXPECT_EQ(a.in_flight, b.in_flight);
  EXPECT_EQ(a.latency.count(), b.latency.count());
  EXPECT_EQ(a.latency.sum(), b.latency.sum());
}

TEST(Counters, SinceGivesTheDifferenceAndTheGaugeAsItIs) {
  Counters earlier = make_counters(100);
  Counters more = make_counters(1);
  Counters now = earlier;
  now += more;
  now.in_flight = 3;
  Counters expected = more;
  expected.in_flight = 3;
  expect_equal(now.since(earlier), expected);
}

// Where one worker has let go of a server and another has not, the sum of both is behind what it was.
TEST(Counters, WhatGoesBackwardsCountsAsNothing) {
  Counters earlier = make_counters(100);
  Counters now = make_counters(40);
  now.retried = earlier.retried + 5;
  now.in_flight = 2;
  Counters expected;
  expected.retried = 5;
  expected.in_flight = 2;
  expect_equal(now.since(earlier), expected);
}

BackendStatistics make_backend(config::Uid uid, uint64_t base, std::vector<ServerStatistics> servers = {}) {
  return {uid, "b" + std::to_string(uid), make_counters(base), std::move(servers)};
}

TEST(Statistics, MergingAddsWhatIsOnBothSidesAndKeepsTheOrder) {
  Statistics first;
  first.backends = {make_backend(2, 10, {{5, "s5", make_counters(1)}, {9, "s9", make_counters(2)}}),
                    make_backend(7, 1)};
  first.listeners = {{1, "web", 10, 20, 30}};
  first.log_lines_dropped = 4;
  Statistics second;
  second.backends = {make_backend(1, 3),
                     make_backend(2, 20, {{4, "s4", make_counters(4)}, {9, "s9", make_counters(5)}}),
                     make_backend(9, 2)};
  second.listeners = {{1, "web", 1, 2, 3}, {3, "db", 4, 5, 6}};
  second.log_lines_dropped = 5;

  first.merge(second);

  EXPECT_THAT(
      first.backends,
      testing::ElementsAre(testing::Field(&BackendStatistics::uid, 1), testing::Field(&BackendStatistics::uid, 2),
                           testing::Field(&BackendStatistics::uid, 7), testing::Field(&BackendStatistics::uid, 9)));
  Counters both = make_counters(10);
  both += make_counters(20);
  expect_equal(first.backends[1].counters, both);
  expect_equal(first.backends[3].counters, make_counters(2));
  EXPECT_THAT(first.backends[1].servers, testing::ElementsAre(testing::Field(&ServerStatistics::name, "s4"),
                                                              testing::Field(&ServerStatistics::name, "s5"),
                                                              testing::Field(&ServerStatistics::name, "s9")));
  EXPECT_EQ(first.backends[1].servers[2].counters.started, 2 + 1 + 5 + 1u);
  ASSERT_EQ(first.listeners.size(), 2u);
  EXPECT_EQ(first.listeners[0].connections, 11u);
  EXPECT_EQ(first.listeners[0].accepted, 22u);
  EXPECT_EQ(first.listeners[0].refused, 33u);
  EXPECT_EQ(first.listeners[1].name, "db");
  EXPECT_EQ(first.log_lines_dropped, 9u);
}

}  // namespace
}  // namespace fairlead::observe
