#include "upstream/measurements.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fairlead::upstream {
namespace {

using runtime::TimePoint;
using std::chrono::milliseconds;
using std::chrono::seconds;

http::ResponseHead head_with(std::string_view value) {
  http::ResponseHead head;
  head.headers.push_back({.name = "Endpoint-Load-Metrics", .value = value});
  return head;
}

double cost(const Measurements& measurements, uint32_t in_flight, TimePoint now) {
  return std::exp2(measurements.ewma_cost(in_flight, now, config::Backend()).value);
}

TEST(Measurements, ServeBothAlgorithms) {
  Measurements measurements;
  config::Backend settings;
  TimePoint now{seconds(5)};
  EXPECT_EQ(cost(measurements, 0, now), 0);
  EXPECT_EQ(measurements.probe(3, now).latency, config::Duration::zero());
  EXPECT_EQ(measurements.probe(3, now).in_flight, 3u);
  measurements.observe(milliseconds(20), 1, now, settings);
  EXPECT_NEAR(cost(measurements, 1, now), 40e6, 1);
  EXPECT_EQ(measurements.probe(3, now).latency, milliseconds(20));
}

TEST(Measurements, WhoKeepsOthersWaitingIsSlow) {
  Measurements measurements;
  config::Backend settings;
  TimePoint now{seconds(5)};
  measurements.observe_at_least(milliseconds(999), 1, now, settings);
  EXPECT_EQ(cost(measurements, 0, now), 0) << "says nothing yet";
  measurements.observe_at_least(seconds(3), 1, now, settings);
  EXPECT_NEAR(cost(measurements, 0, now), 3e9, 1);
  measurements.observe_at_least(seconds(2), 1, now, settings);
  EXPECT_NEAR(cost(measurements, 0, now), 3e9, 1);
  EXPECT_EQ(measurements.probe(1, now).latency, seconds(3));
}

TEST(Measurements, WhatAServerSaysHoldsForASecond) {
  Measurements measurements;
  TimePoint now{seconds(5)};
  measurements.take_report(head_with("TEXT application_utilization=1,named_metrics.requests_in_flight=9"), now);
  TimePoint later = now + Measurements::kReportAge - milliseconds(1);
  EXPECT_TRUE(measurements.probe(3, later).is_overloaded);
  EXPECT_EQ(measurements.probe(3, later).in_flight, 9u);
  EXPECT_EQ(measurements.probe(30, later).in_flight, 30u) << "it may not know yet of all that we sent";
  EXPECT_FALSE(measurements.probe(3, now + Measurements::kReportAge).is_overloaded);
  EXPECT_EQ(measurements.probe(3, now + Measurements::kReportAge).in_flight, 3u);
  measurements.take_report(head_with("TEXT application_utilization=1"), now);
  measurements.take_report(head_with("nonsense"), now);
  measurements.take_report(http::ResponseHead(), now);
  EXPECT_TRUE(measurements.probe(0, now).is_overloaded) << "the last that could be understood";
  measurements.take_report(head_with("TEXT application_utilization=0.99"), now);
  EXPECT_FALSE(measurements.probe(0, now).is_overloaded);
}

}  // namespace
}  // namespace fairlead::upstream
