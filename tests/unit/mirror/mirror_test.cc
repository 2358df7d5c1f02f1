// A mirror and a data plane that does what the API says, in virtual time.
#include "mirror/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "world.h"

namespace fairlead::mirror {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Mirror, FillsAnEmptyDataPlaneAndProvesIt) {
  const auto want = parse(servers(0, 25));
  Dataplane dataplane;
  World world(want);
  EXPECT_EQ(world.mirror.standing(), Standing::kLost);
  world.connect(dataplane);
  EXPECT_EQ(dataplane.digest(), want->digest());
  EXPECT_THAT(world.events, ElementsAre("in_sync"));
  EXPECT_EQ(world.mirror.standing(), Standing::kInSync);
}

TEST(Mirror, SaysNothingWhereAllIsThere) {
  Dataplane dataplane;
  World world(parse(servers(0, 25)));
  world.connect(dataplane);
  world.cut();
  const int requests = world.requests;
  world.connect(dataplane);
  EXPECT_EQ(world.requests, requests);
  EXPECT_THAT(world.events, ElementsAre("in_sync", "session_lost", "in_sync"));
}

TEST(Mirror, SaysOnlyWhatChanged) {
  Dataplane dataplane;
  World world(parse(servers(0, 25)));
  world.connect(dataplane);
  dataplane.touched.clear();
  const int requests = world.requests;
  world.want(servers(1, 26));
  EXPECT_EQ(world.mirror.standing(), Standing::kInSync);
  EXPECT_EQ(world.requests, requests + 2);
  EXPECT_THAT(dataplane.touched, ElementsAre(std::pair("server app/s0", 1), std::pair("server app/s25", 1)));
}

TEST(Mirror, AChangeWhileOutOfReachIsADifferenceAsWell) {
  Dataplane dataplane;
  World world(parse(servers(0, 25)));
  world.connect(dataplane);
  world.cut();
  world.want(servers(0, 26));
  const int requests = world.requests;
  world.connect(dataplane);
  EXPECT_EQ(world.requests, requests + 1);
  EXPECT_EQ(world.mirror.standing(), Standing::kInSync);
}

TEST(Mirror, ADeletionWhileOutOfReachIsMadeUpFor) {
  Dataplane dataplane;
  World world(parse(servers(0, 25)));
  world.connect(dataplane);
  world.cut();
  world.want(servers(0, 20));
  EXPECT_TRUE(dataplane.resources.contains({Kind::kServer, "app", "s24"}));
  world.connect(dataplane);
  EXPECT_EQ(world.mirror.standing(), Standing::kInSync);
  EXPECT_FALSE(dataplane.resources.contains({Kind::kServer, "app", "s24"}));
  EXPECT_TRUE(dataplane.resources.contains({Kind::kServer, "app", "s19"}));
}

TEST(Mirror, ADataPlaneThatComesBackEmptyIsFilledBeforeItCountsAsEqual) {
  Dataplane dataplane;
  World world(parse(servers(0, 25)));
  world.connect(dataplane);
  world.cut();
  Dataplane empty;
  world.connect(empty);
  EXPECT_THAT(world.events, ElementsAre("in_sync", "session_lost", "in_sync"));
  EXPECT_EQ(empty.digest(), dataplane.digest());
}

TEST(Mirror, WhatWasSeenBeforeTheLastAnswerIsNoNews) {
  Dataplane dataplane;
  World world(parse(servers(0, 25)));
  world.connect(dataplane);
  const Observed earlier = dataplane.observe(false);
  world.want(servers(0, 26));
  world.mirror.heard(world.now, earlier);
  EXPECT_EQ(world.mirror.standing(), Standing::kInSync);
}

TEST(Mirror, WhatSomebodyElseChangedIsFoundAndRepairedAndNothingElseTouched) {
  Dataplane dataplane;
  World world(parse(servers(0, 25)));
  world.connect(dataplane);
  api::Resource changed = dataplane.resources[{Kind::kServer, "app", "s3"}];
  changed.mutable_server()->set_weight(7);
  dataplane.put(changed);
  api::Resource added = changed;
  added.mutable_server()->set_name("stranger");
  dataplane.put(added);
  dataplane.erase({Kind::kServer, "app", "s4"});
  dataplane.touched.clear();
  world.refresh();
  EXPECT_THAT(world.events, ElementsAre("in_sync", "differs", "in_sync"));
  EXPECT_THAT(dataplane.touched, ElementsAre(std::pair("server app/s3", 1), std::pair("server app/s4", 1),
                                             std::pair("server app/stranger", 1)));
}

TEST(Mirror, NamesWhatDiffers) {
  Dataplane dataplane;
  World world(parse(servers(0, 3)));
  world.connect(dataplane);
  dataplane.erase({Kind::kServer, "app", "s1"});
  world.mirror.heard(world.now, dataplane.observe(false));
  while (world.events.back() != "differs") ASSERT_TRUE(world.step());
  EXPECT_EQ(world.last_why, "server app/s1 is missing");
}

TEST(Mirror, ARefusalRemovesNothingAndIsTriedAgain) {
  Dataplane dataplane;
  World before(parse(servers(0, 25)));
  before.connect(dataplane);
  dataplane.refused = "s25";
  World world(parse(servers(1, 26)), {.high = 0, .low = 6});
  world.connect(dataplane);
  EXPECT_EQ(world.mirror.standing(), Standing::kFailed);
  EXPECT_EQ(world.mirror.problem(), "server app/s25: not today");
  EXPECT_TRUE(dataplane.resources.contains({Kind::kServer, "app", "s0"}));
  const absl::Duration first = world.mirror.retry_at() - world.now;
  world.wait();
  EXPECT_EQ(world.mirror.standing(), Standing::kFailed);
  EXPECT_EQ(world.mirror.retry_at() - world.now, 2 * first);
  dataplane.refused.clear();
  world.wait();
  EXPECT_EQ(world.mirror.standing(), Standing::kInSync);
}

TEST(Mirror, AnAddressPassesFromAListenerThatNobodyKnewOf) {
  const std::string listener = "listeners: [{name: $, bind: ['127.0.0.1:80'], protocol: HTTP}]\n";
  const auto named = [&](const std::string& name) { return listener.substr(0, 19) + name + listener.substr(20); };
  Dataplane dataplane;
  World before(parse(named("old") + servers(0, 3)));
  before.connect(dataplane);
  World world(parse(named("new") + servers(0, 3)), {.high = 0, .low = 6});
  world.connect(dataplane);
  EXPECT_EQ(world.mirror.standing(), Standing::kFailed);
  EXPECT_THAT(world.mirror.problem(), HasSubstr("is in use"));
  world.wait();
  EXPECT_EQ(world.mirror.standing(), Standing::kInSync);
}

TEST(Mirror, TooLargeARemovalIsRefusedInBothWays) {
  Dataplane dataplane;
  World before(parse(servers(0, 25)));
  before.connect(dataplane);
  before.want(servers(0, 5));
  EXPECT_EQ(before.mirror.standing(), Standing::kFailed);
  EXPECT_THAT(before.mirror.problem(), HasSubstr("would remove 20 of 25 servers of backend app, more than 50%"));
  before.want(servers(0, 24));
  EXPECT_EQ(before.mirror.standing(), Standing::kInSync);

  World world(parse(servers(0, 5)), {.high = 0, .low = 6});
  world.connect(dataplane);
  EXPECT_EQ(world.mirror.standing(), Standing::kFailed);
  EXPECT_THAT(world.mirror.problem(), HasSubstr("too much would go"));
  world.wait();
  EXPECT_EQ(world.mirror.standing(), Standing::kFailed);
  EXPECT_EQ(dataplane.resources.size(), 25u);
}

TEST(Mirror, TheOlderOfTwoStandsByAndWritesNoMore) {
  Dataplane dataplane;
  World older(parse(servers(0, 10)));
  older.connect(dataplane);
  World newer(parse(servers(0, 12)), {.high = 0, .low = 6});
  dataplane.primary = false;
  older.want(servers(0, 11));
  EXPECT_EQ(older.mirror.standing(), Standing::kStandby);
  newer.connect(dataplane);
  const std::uint64_t version = dataplane.version;
  older.cut();
  older.connect(dataplane);
  older.refresh();
  older.want(servers(0, 9));
  older.wait();
  EXPECT_EQ(older.mirror.standing(), Standing::kStandby);
  EXPECT_EQ(dataplane.version, version);
  // A data plane that lost its state knows no primary.
  Dataplane empty;
  older.cut();
  older.connect(empty);
  EXPECT_EQ(older.mirror.standing(), Standing::kInSync);
  EXPECT_EQ(empty.digest(), parse(servers(0, 9))->digest());
}

TEST(Mirror, OneThatIsSupersededLearnsItByLooking) {
  Dataplane dataplane;
  World older(parse(servers(0, 10)));
  older.connect(dataplane);
  dataplane.highest = {.high = 1, .low = 0};
  const int requests = older.requests;
  older.refresh();
  EXPECT_EQ(older.mirror.standing(), Standing::kStandby);
  EXPECT_EQ(older.requests, requests);
}

// Whatever happens in whatever order: when it is over, the data plane is equal to what is wanted last.
TEST(Mirror, ComesToRestEqual) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const auto below = [&](unsigned most) { return static_cast<int>(random() % most); };
    auto dataplane = std::make_unique<Dataplane>();
    World world(parse(servers(0, 20)), {.high = 0, .low = 5}, 100);
    std::string text = servers(0, 20);
    world.connect(*dataplane);
    for (int i = 0; i < 30; ++i) {
      switch (below(6)) {
        case 0: {
          const int first = below(8);
          text = servers(first, first + 14 + below(10), below(2) == 0 ? "- {name: other}\n" : "");
          world.mirror.want(world.now, parse(text));
          break;
        }
        case 1: {
          api::Resource resource;
          resource.mutable_server()->set_backend("app");
          resource.mutable_server()->set_name(absl::StrCat("s", below(30)));
          resource.mutable_server()->set_weight(static_cast<std::uint32_t>(below(3)));
          if (dataplane->resources.contains({Kind::kBackend, "", "app"})) dataplane->put(resource);
          break;
        }
        case 2:
          dataplane->erase({Kind::kServer, "app", absl::StrCat("s", below(20))});
          break;
        case 3: {
          world.cut();
          const bool empty = below(2) == 0;
          if (empty) dataplane = std::make_unique<Dataplane>();
          world.open(*dataplane);
          break;
        }
        default:
          for (int steps = below(12); steps > 0; --steps) world.step();
          break;
      }
    }
    world.settle();
    for (int i = 0; i < 20 && world.mirror.standing() != Standing::kInSync; ++i) world.wait();
    world.refresh();
    ASSERT_EQ(world.mirror.standing(), Standing::kInSync) << world.mirror.problem();
    ASSERT_EQ(dataplane->digest(), parse(text)->digest());
  }
}

}  // namespace
}  // namespace fairlead::mirror
