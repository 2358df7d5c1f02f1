#include "sources/statistics_messages.h"

#include <gtest/gtest.h>

namespace fairlead::sources {
namespace {

namespace api = fairlead::v1;

TEST(StatisticsMessages, AsksForTheBackendAndItsServers) {
  const api::StreamStatisticsRequest request = to_request("app", absl::Milliseconds(2500));
  EXPECT_EQ(request.interval().seconds(), 2);
  EXPECT_EQ(request.interval().nanos(), 500'000'000);
  ASSERT_EQ(request.backends_size(), 1);
  EXPECT_EQ(request.backends(0), "app");
  EXPECT_TRUE(request.servers());
}

TEST(StatisticsMessages, CountsWhatIsInFlightAndWhatWaits) {
  api::StreamStatisticsResponse response;
  api::BackendStatistics& other = *response.add_backends();
  other.set_backend("other");
  other.mutable_counters()->set_in_flight(1000);
  api::BackendStatistics& app = *response.add_backends();
  app.set_backend("app");
  app.mutable_counters()->set_in_flight(7);
  app.mutable_counters()->set_queued(2);
  api::ServerStatistics& server = *app.add_servers();
  server.set_name("s1");
  server.mutable_counters()->set_in_flight(4);
  server.mutable_counters()->set_queued(1);
  const LoadSample sample = to_sample(response, "app");
  EXPECT_EQ(sample.in_flight, 9u);
  ASSERT_EQ(sample.servers.size(), 1u);
  EXPECT_EQ(sample.servers[0].server, "s1");
  EXPECT_EQ(sample.servers[0].in_flight, 5u);
}

// Deleted, and added again while the former one still finishes something: that is no load of the servers that there
// are.
TEST(StatisticsMessages, ABackendThatExistsCountsNotADeletedOneOfItsName) {
  api::StreamStatisticsResponse response;
  for (const int in_flight : {7, 1}) {
    api::BackendStatistics& backend = *response.add_backends();
    backend.set_backend("app");
    backend.mutable_counters()->set_in_flight(static_cast<std::uint64_t>(in_flight));
    api::ServerStatistics& server = *backend.add_servers();
    server.set_name("s1");
    server.mutable_counters()->set_in_flight(static_cast<std::uint64_t>(in_flight));
  }
  const LoadSample sample = to_sample(response, "app");
  EXPECT_EQ(sample.in_flight, 7u);
  ASSERT_EQ(sample.servers.size(), 1u);
  EXPECT_EQ(sample.servers[0].in_flight, 7u);
}

TEST(StatisticsMessages, ABackendThatIsNotNamedHasNoLoad) {
  const LoadSample sample = to_sample({}, "app");
  EXPECT_EQ(sample.in_flight, 0u);
  EXPECT_TRUE(sample.servers.empty());
}

}  // namespace
}  // namespace fairlead::sources
