#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "control/arguments.h"
#include "control/autoscaler.h"

namespace fairlead::control {
namespace {

using testing::ElementsAre;

TEST(Arguments, ARepeatedFlagBecomesOneList) {
  EXPECT_THAT(join_repeated({"program", "--dataplane", "a:1", "--min=2", "--dataplane=b:1", "-dataplane", "c:1,d:1"},
                            "dataplane"),
              ElementsAre("program", "--dataplane=a:1,b:1,c:1,d:1", "--min=2"));
}

TEST(Arguments, OthersStayAsTheyAre) {
  EXPECT_THAT(join_repeated({"--dataplane=x", "--dataplanes=1", "--backend", "b", "--", "--dataplane=y"}, "dataplane"),
              ElementsAre("--dataplane=x", "--dataplanes=1", "--backend", "b", "--", "--dataplane=y"));
  EXPECT_THAT(join_repeated({"program", "--dataplane"}, "dataplane"), ElementsAre("program", "--dataplane"));
}

TEST(Arguments, AFlagMayBeSpelledWithDashes) {
  EXPECT_THAT(with_underscores({"a-b", "--state-directory=/var/lib/a-b", "--state_directory", "/a-b", "--min=-1", "--",
                                "--left-alone"}),
              ElementsAre("a-b", "--state_directory=/var/lib/a-b", "--state_directory", "/a-b", "--min=-1", "--",
                          "--left-alone"));
}

AutoscalerOptions valid() {
  AutoscalerOptions options;
  options.dataplanes = {"unix:/a", "127.0.0.1:9000"};
  options.backend = "app";
  options.state_directory = "/a";
  return options;
}

TEST(Options, WrongOnesAreNamed) {
  struct Case {
    const char* field;
    std::function<void(AutoscalerOptions&)> spoil;
  };
  const Case cases[] = {
      {"dataplane: is missing", [](auto& o) { o.dataplanes.clear(); }},
      {"dataplane: is empty", [](auto& o) { o.dataplanes[1] = ""; }},
      {"dataplane: unix:/a is named twice", [](auto& o) { o.dataplanes[1] = "unix:/a"; }},
      {"backend: ", [](auto& o) { o.backend = ""; }},
      {"state_directory: ", [](auto& o) { o.state_directory = ""; }},
      {"health_path: \"healthz\" must begin with /", [](auto& o) { o.launch.health_path = "healthz"; }},
      {"origin_command: \"{port}\" is not known", [](auto& o) { o.launch.command = "run {port}"; }},
      {"min: 0", [](auto& o) { o.controller.policy.minimum = 0; }},
      {"interval: 1ms is out of range [10ms, 1h]", [](auto& o) { o.interval = absl::Milliseconds(1); }},
      {"load_window: 100ms is out of range [500ms, 24h]",
       [](auto& o) { o.controller.load.window = absl::Milliseconds(100); }},
      {"load_memory: 1s is out of range [3s, 24h]", [](auto& o) { o.controller.load.memory = absl::Seconds(1); }},
      {"drain_timeout: -1s", [](auto& o) { o.controller.fleet.drain_timeout = -absl::Seconds(1); }},
  };
  EXPECT_TRUE(validate(valid()).ok()) << validate(valid());
  for (const Case& c : cases) {
    AutoscalerOptions options = valid();
    c.spoil(options);
    EXPECT_THAT(std::string(validate(options).message()), testing::StartsWith(c.field));
  }
}

}  // namespace
}  // namespace fairlead::control
