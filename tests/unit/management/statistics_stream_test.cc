#include "management/statistics_stream.h"

#include "gtest/gtest.h"

namespace fairlead::management {
namespace {

Sample sample_of(const observe::ListenerStatistics& listener) {
  Sample sample;
  sample.statistics.listeners.push_back(listener);
  return sample;
}

TEST(EncodeIntervalTest, ListenersCountWhatHappenedInTheInterval) {
  v1::StreamStatisticsResponse out;
  encode_interval(sample_of({.uid = 1, .name = "web", .connections = 4, .accepted = 50, .refused = 6}),
                  sample_of({.uid = 1, .name = "web", .connections = 3, .accepted = 57, .refused = 8}), {}, false, out);
  ASSERT_EQ(out.listeners_size(), 1);
  EXPECT_EQ(out.listeners(0).connections(), 3);
  EXPECT_EQ(out.listeners(0).connections_accepted(), 7);
  EXPECT_EQ(out.listeners(0).connections_refused(), 2);
}

// A deleted listener is let go of by one worker earlier than by another.
TEST(EncodeIntervalTest, AListenerThatAWorkerHasLetGoOfCountsNothing) {
  v1::StreamStatisticsResponse out;
  encode_interval(sample_of({.uid = 1, .name = "web", .connections = 4, .accepted = 50, .refused = 6}),
                  sample_of({.uid = 1, .name = "web", .connections = 1, .accepted = 20, .refused = 0}), {}, false, out);
  ASSERT_EQ(out.listeners_size(), 1);
  EXPECT_EQ(out.listeners(0).connections_accepted(), 0);
  EXPECT_EQ(out.listeners(0).connections_refused(), 0);
}

}  // namespace
}  // namespace fairlead::management
