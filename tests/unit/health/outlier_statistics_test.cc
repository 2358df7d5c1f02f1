// Whose requests fail far more than others', by tables.
#include "health/outlier_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::health {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Servers 1, 2, ... with these failures of 100 requests each.
std::vector<Outcomes> of_100(std::initializer_list<uint64_t> failures) {
  std::vector<Outcomes> result;
  for (uint64_t count : failures) {
    config::Uid uid = result.size() + 1;
    result.push_back({.slot = static_cast<config::Slot>(uid), .server = uid, .requests = 100, .failures = count});
  }
  return result;
}
std::vector<config::Uid> uids(const std::vector<Outlier>& outliers) {
  std::vector<config::Uid> result;
  for (const Outlier& outlier : outliers) result.push_back(outlier.server);
  return result;
}

TEST(OutlierStatistics, FailuresInPercentTheWorstFirst) {
  config::OutlierDetection settings;
  settings.failure_percentage = config::FailurePercentage();
  EXPECT_THAT(uids(find_outliers(of_100({0, 84, 85, 0, 100}), settings)), ElementsAre(5, 3));
  EXPECT_EQ(find_outliers(of_100({0, 0, 90, 0, 0}), settings)[0].reason, "90 of 100 requests failed, threshold 85%");
  EXPECT_THAT(find_outliers(of_100({0, 100, 100, 0}), settings), IsEmpty()) << "four servers are too few";
  auto few = of_100({0, 0, 0, 0, 100});
  few[0].requests = 49;
  EXPECT_THAT(find_outliers(few, settings), IsEmpty()) << "so are four with enough requests";
  few[0].requests = 50;
  EXPECT_THAT(uids(find_outliers(few, settings)), ElementsAre(5));
  EXPECT_THAT(uids(find_outliers(of_100({100, 100, 100, 100, 100}), settings)), ElementsAre(1, 2, 3, 4, 5));
  settings.failure_percentage = {.threshold = 1, .min_requests = 1, .min_servers = 1};
  EXPECT_THAT(uids(find_outliers({{.slot = 0, .server = 7, .requests = 1, .failures = 1}}, settings)), ElementsAre(7));
  EXPECT_THAT(find_outliers({}, settings), IsEmpty());
}

TEST(OutlierStatistics, SuccessRatesAgainstTheirMean) {
  config::OutlierDetection settings;
  settings.success_rate = config::SuccessRate();
  EXPECT_THAT(find_outliers(of_100({10, 10, 10, 10, 10, 10}), settings), IsEmpty());
  EXPECT_THAT(find_outliers(of_100({0, 0, 0, 0, 0}), settings), IsEmpty());
  EXPECT_THAT(find_outliers(of_100({100, 100, 100, 100, 100}), settings), IsEmpty()) << "all fail: nobody stands out";
  // Mean 91.67 %, deviation 18.63 %: the lowest is 56.26 %.
  auto one = find_outliers(of_100({0, 0, 0, 0, 0, 50}), settings);
  EXPECT_THAT(uids(one), ElementsAre(6));
  EXPECT_EQ(one[0].reason, "successes 50.00%, mean 91.67%, lowest 56.26%");
  settings.success_rate = {.deviation_percent = 300};
  EXPECT_THAT(find_outliers(of_100({0, 0, 0, 0, 0, 50}), settings), IsEmpty());
  settings.success_rate = {.min_requests = 101};
  EXPECT_THAT(find_outliers(of_100({0, 0, 0, 0, 0, 50}), settings), IsEmpty());
}

TEST(OutlierStatistics, WhoIsFoundTwiceIsThereOnce) {
  config::OutlierDetection settings;
  settings.failure_percentage = config::FailurePercentage();
  settings.success_rate = config::SuccessRate();
  auto found = find_outliers(of_100({0, 0, 0, 0, 0, 95}), settings);
  ASSERT_THAT(uids(found), ElementsAre(6));
  EXPECT_EQ(found[0].reason, "95 of 100 requests failed, threshold 85%");
}

}  // namespace
}  // namespace fairlead::health
