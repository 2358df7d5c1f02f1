#include "control/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/metrics_file.h"
#include "events/json.h"

namespace fairlead::control {
namespace {

Report added() {
  return {.time = absl::FromUnixMillis(1'700'000'000'125),
          .event = "server_added",
          .server = "s3",
          .address = "127.0.0.1:4711",
          .dataplane = "",
          .why = "",
          .servers = 3,
          .desired = 4,
          .in_flight = 17.5};
}

TEST(EventLog, WritesOneLineOfJson) {
  EXPECT_EQ(to_json(added(), "app"),
            R"({"time":1700000000.125000,"event":"server_added","server":"app/s3","address":"127.0.0.1:4711",)"
            R"("servers":3,"desired":4,"in_flight":17.500})");
}

TEST(EventLog, LeavesOutWhatAnEventDoesNotHave) {
  Report lost{.time = absl::UnixEpoch(),
              .event = "session_lost",
              .server = "",
              .address = "",
              .dataplane = "unix:/a",
              .why = "a \"reason\"\n",
              .cut_off = 2};
  EXPECT_EQ(to_json(lost, "app"),
            R"({"time":0.000000,"event":"session_lost","dataplane":"unix:/a","why":"a \"reason\"\u000a","cut_off":2,)"
            R"("servers":0,"desired":0,"in_flight":0.000})");
}

TEST(Json, EscapesWhatMustBe) {
  EXPECT_EQ(events::json_text("\\ \"\t\x7f\xc3\xa4"), "\"\\\\ \\\"\\u0009\\u007f\xc3\xa4\"");
}

TEST(Metrics, AreGaugesOfTheBackend) {
  const std::string text = to_metrics({.servers = 3, .wanted = 4, .desired = 5, .in_flight = 1.5}, "app");
  EXPECT_THAT(text, testing::HasSubstr("# TYPE fairlead_autoscaler_servers gauge\n"
                                       "fairlead_autoscaler_servers{backend=\"app\"} 3\n"));
  EXPECT_THAT(text, testing::HasSubstr("fairlead_autoscaler_in_flight{backend=\"app\"} 1.5\n"));
}

}  // namespace
}  // namespace fairlead::control
