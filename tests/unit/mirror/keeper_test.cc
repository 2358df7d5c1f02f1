#include "mirror/keeper.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace fairlead::mirror {
namespace {

KeeperOptions valid() {
  KeeperOptions options;
  options.dataplanes = {"unix:/a", "127.0.0.1:9000"};
  options.file = "servers.yaml";
  return options;
}

TEST(KeeperOptions, AMistakeIsNamedWithItsFieldAndValue) {
  const struct {
    std::function<void(KeeperOptions&)> spoil;
    const char* error;
  } cases[] = {
      {[](KeeperOptions& options) { options.dataplanes = {"unix:/a", "unix:/a"}; },
       "dataplane: unix:/a is named twice"},
      {[](KeeperOptions& options) { options.dataplanes = {""}; },
       "dataplane: is empty; right are unix:/path and host:port"},
      {[](KeeperOptions& options) { options.file.clear(); }, "file: is missing; name the YAML file of resources"},
      {[](KeeperOptions& options) { options.mirror.max_removal_percent = 101; },
       "max_removal_percent: 101 is out of range [1, 100]"},
      {[](KeeperOptions& options) { options.mirror.max_removal_percent = 0; },
       "max_removal_percent: 0 is out of range [1, 100]"},
      {[](KeeperOptions& options) { options.refresh = absl::Milliseconds(1); },
       "refresh: 1ms is out of range [100ms, 1h]"},
      {[](KeeperOptions& options) { options.once_timeout = absl::Hours(2); },
       "timeout: 2h is out of range [100ms, 1h]"},
  };
  EXPECT_TRUE(validate(valid()).ok());
  for (const auto& known : cases) {
    KeeperOptions options = valid();
    known.spoil(options);
    EXPECT_EQ(std::string(validate(options).message()), known.error);
  }
}

TEST(Report, IsOneLineForProgramsAndOneForPeople) {
  const Report report{
      absl::UnixEpoch() + absl::Milliseconds(1'700'000'000'125),
      "unix:/a",
      {.event = "in_sync", .why = "", .digest = std::string(8, '\x59') + std::string(24, '\0'), .version = 12}};
  EXPECT_EQ(to_json(report),
            R"({"time":1700000000.125000,"event":"in_sync","dataplane":"unix:/a",)"
            R"("digest":"5959595959595959000000000000000000000000000000000000000000000000","version":12})");
  EXPECT_EQ(to_text(report), "in_sync unix:/a: digest 5959595959595959, version 12");
  EXPECT_FALSE(is_trouble(report));
  const Report refused{absl::UnixEpoch(), "", {.event = "file_refused", .why = "f.yaml:3: \"x\"", .digest = ""}};
  EXPECT_EQ(to_json(refused), R"({"time":0.000000,"event":"file_refused","why":"f.yaml:3: \"x\""})");
  EXPECT_EQ(to_text(refused), "file_refused: f.yaml:3: \"x\"");
  EXPECT_TRUE(is_trouble(refused));
}

}  // namespace
}  // namespace fairlead::mirror
