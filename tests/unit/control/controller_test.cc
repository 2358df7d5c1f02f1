#include "control/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <string>

#include "simulated_world.h"

namespace fairlead::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;

ControllerOptions controller_options() {
  ControllerOptions options;
  options.policy = {.target = {.in_flight_per_server = 10, .tolerance = 0.1},
                    .minimum = 2,
                    .maximum = 20,
                    .down_window = absl::Seconds(20),
                    .up_limit = {},
                    .down_limit = {}};
  options.load = {.window = absl::Seconds(2), .memory = absl::Seconds(30)};
  return options;
}

WorldOptions world_options(int dataplanes = 1, std::uint64_t seed = 1) {
  return {.controller = controller_options(), .dataplanes = dataplanes, .seed = seed};
}

auto constant(double load) {
  return [load](double) { return load; };
}

TEST(Controller, BringsUpTheMinimumWithoutLoad) {
  World world(world_options());
  world.run_for(absl::Seconds(10));
  EXPECT_EQ(world.ready_on(0), 2);
  EXPECT_THAT(world.servers_of("server_started"), testing::UnorderedElementsAre("s1", "s2"));
  EXPECT_EQ(world.count("server_added"), 2);
}

TEST(Controller, DoesNothingBeforeADataPlaneTellsWhatItHas) {
  World world(world_options());
  world.run_for(absl::ZeroDuration());
  world.lose_session(0);
  // A new life whose connection never comes.
  EXPECT_TRUE(world.processes().empty());
}

TEST(Controller, ConvergesAndStays) {
  World world(world_options());
  world.load = constant(83);
  world.run_for(absl::Seconds(15));
  EXPECT_EQ(world.ready_on(0), 9);
  world.run_for(absl::Minutes(10));
  EXPECT_EQ(world.ready_on(0), 9);
  EXPECT_EQ(world.count("server_started"), 9);
  EXPECT_EQ(world.count("server_draining"), 0);
}

TEST(Controller, DoesNotFlapWithinTheTolerance) {
  World world(world_options());
  world.load = [](double seconds) { return 100 + 9 * std::sin(seconds); };
  world.run_for(absl::Seconds(30));
  const int ready = world.ready_on(0);
  const int recommendations = world.count("recommendation");
  world.run_for(absl::Minutes(10));
  EXPECT_EQ(world.ready_on(0), ready);
  EXPECT_EQ(world.count("recommendation"), recommendations);
}

TEST(Controller, GoesDownOnlyAfterTheWindow) {
  World world(world_options());
  world.load = [](double seconds) { return seconds < 60 ? 100 : 30; };
  world.run_for(absl::Seconds(79));
  EXPECT_EQ(world.count("server_draining"), 0);
  world.run_for(absl::Seconds(10));
  EXPECT_EQ(world.count("server_draining"), 7);
  world.run_for(absl::Seconds(10));
  EXPECT_EQ(world.ready_on(0), 3);
  EXPECT_EQ(world.processes().size(), 3u);
  EXPECT_EQ(world.count("server_stopped"), 7);
}

TEST(Controller, AServerLeavesInThisOrder) {
  World world(world_options());
  world.load = [](double seconds) { return seconds < 30 ? 30 : 20; };
  world.run_for(absl::Minutes(2));
  std::vector<std::string> steps;
  for (const Report& report : world.reports()) {
    if (report.server == "s3") steps.push_back(report.event);
  }
  EXPECT_THAT(steps, ElementsAre("server_started", "server_added", "server_draining", "server_drained",
                                 "server_deleted", "server_stopped"));
}

TEST(Controller, SendsOutTheLeastLoadedOnAllDataPlanesTogether) {
  World world(world_options(2));
  world.load = [](double seconds) { return seconds < 30 ? 50 : 40; };
  world.extra_in_flight = {{"s1", 9}, {"s3", 7}, {"s4", 5}, {"s5", 3}};
  world.run_for(absl::Minutes(2));
  EXPECT_THAT(world.servers_of("server_draining"), ElementsAre("s2"));
}

TEST(Controller, ADrainThatDoesNotEndIsCutOffAtItsDeadline) {
  World world(world_options());
  world.load = [](double seconds) { return seconds < 30 ? 30 : 20; };
  world.drains_end = false;
  world.run_for(absl::Seconds(70));
  EXPECT_EQ(world.count("server_draining"), 1);
  EXPECT_EQ(world.count("server_deleted"), 0);
  world.run_for(absl::Seconds(20));
  EXPECT_EQ(world.count("server_drained"), 0);
  EXPECT_EQ(world.count("server_stopped"), 1);
  const auto deleted = std::ranges::find(world.reports(), "server_deleted", &Report::event);
  EXPECT_EQ(deleted->cut_off, 1u);
}

TEST(Controller, ADrainingServerIsTakenBackBeforeANewOneIsStarted) {
  World world(world_options());
  world.load = [](double seconds) { return seconds >= 30 && seconds < 55 ? 20 : 50; };
  world.drains_end = false;
  world.run_for(absl::Seconds(80));
  EXPECT_GT(world.count("server_resumed"), 0);
  EXPECT_EQ(world.count("server_started"), 5);
  EXPECT_EQ(world.ready_on(0), 5);
}

TEST(Controller, EachDataPlaneGetsAllServers) {
  World world(world_options(3));
  world.load = constant(60);
  world.run_for(absl::Seconds(20));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.ready_on(i), 6) << i;
}

TEST(Controller, ADataPlaneThatIsDownDoesNotStopTheOthers) {
  World world(world_options(2));
  world.load = constant(40);
  world.run_for(absl::Seconds(20));
  ASSERT_EQ(world.ready_on(0), 4);
  world.lose_session(1);
  world.load = constant(120);
  world.run_for(absl::Seconds(25));
  // One of two tells its half, 60; the last that the other told was 20.
  EXPECT_EQ(world.ready_on(0), 8);
  EXPECT_EQ(world.ready_on(1), 4);
  world.connect_session(1);
  world.run_for(absl::Seconds(10));
  EXPECT_EQ(world.ready_on(0), 12);
  EXPECT_EQ(world.ready_on(1), 12);
}

TEST(Controller, AServerOnItsWayOutWaitsForADataPlaneOutOfReachButNotForEver) {
  World world(world_options(2));
  world.load = [](double seconds) { return seconds < 30 ? 60 : 40; };
  world.run_for(absl::Seconds(45));
  world.lose_session(1);
  world.run_for(absl::Seconds(50));
  EXPECT_GT(world.count("server_draining"), 0);
  EXPECT_EQ(world.count("server_stopped"), 0);
  world.run_for(absl::Seconds(60));
  EXPECT_EQ(world.count("server_stopped"), world.count("server_draining"));
  // What it still has of them goes when it is back.
  world.connect_session(1);
  world.run_for(absl::Seconds(10));
  EXPECT_EQ(world.ready_on(1), static_cast<int>(world.processes().size()));
}

TEST(Controller, ADataPlaneThatComesBackEmptyGetsAllAgain) {
  World world(world_options(2));
  world.load = constant(50);
  world.run_for(absl::Seconds(20));
  world.lose_session(0);
  world.connect_session(0, true);
  EXPECT_EQ(world.ready_on(0), 0);
  world.run_for(absl::Seconds(1));
  EXPECT_EQ(world.ready_on(0), 5);
  EXPECT_EQ(world.count("server_started"), 5);
  EXPECT_THAT(world.reports().back().servers, 5);
}

TEST(Controller, ARestartTakesOverWhatRuns) {
  World world(world_options(2));
  world.load = constant(70);
  world.run_for(absl::Seconds(20));
  const auto before = world.processes();
  world.restart_controller();
  world.run_for(absl::Minutes(3));
  EXPECT_EQ(world.processes(), before);
  EXPECT_EQ(world.count("server_adopted"), 7);
  EXPECT_EQ(world.count("server_draining"), 0);
}

TEST(Controller, ARestartWithoutMemoryFindsItsServersByTheirLabels) {
  World world(world_options(2));
  world.load = constant(70);
  world.run_for(absl::Seconds(20));
  const auto before = world.processes();
  world.restart_controller(true);
  world.run_for(absl::Seconds(30));
  EXPECT_EQ(world.processes(), before);
  EXPECT_EQ(world.count("server_adopted"), 7);
  // A new one does not take a name that is in use.
  world.load = constant(80);
  world.run_for(absl::Seconds(30));
  EXPECT_THAT(world.servers_of("server_started"), Contains("s8"));
}

TEST(Controller, AServerWhoseProcessIsGoneIsRemovedAndReplaced) {
  World world(world_options(2));
  world.load = constant(50);
  world.run_for(absl::Seconds(20));
  world.kill_process("s2");
  world.run_for(absl::Seconds(10));
  EXPECT_FALSE(world.has(0, "s2"));
  EXPECT_FALSE(world.has(1, "s2"));
  EXPECT_EQ(world.ready_on(0), 5);
}

TEST(Controller, AServerThatDiedBetweenTwoLivesIsRemoved) {
  World world(world_options());
  world.load = constant(50);
  world.run_for(absl::Seconds(20));
  world.kill_process("s2");
  world.restart_controller();
  world.run_for(absl::Seconds(10));
  EXPECT_FALSE(world.has(0, "s2"));
  EXPECT_EQ(world.ready_on(0), 5);
}

TEST(Controller, StartsThatFailAreNotRepeatedWithoutEnd) {
  World world(world_options());
  world.starts_fail = true;
  world.run_for(absl::Minutes(5));
  const int failed = world.count("server_failed");
  EXPECT_GE(failed, 6);
  EXPECT_LE(failed, 24);
  world.starts_fail = false;
  world.run_for(absl::Minutes(2));
  EXPECT_EQ(world.ready_on(0), 2);
}

TEST(Controller, ServersThatEndAtOnceAreStartedEverMoreSeldom) {
  World world(world_options());
  world.lifetime = absl::Milliseconds(50);
  world.run_for(absl::Minutes(10));
  // Two at a time: after 1, 2, 4, ... 32 s and then every minute, beside the time that a start takes.
  EXPECT_GE(world.count("server_exited"), 2 * 10);
  EXPECT_LE(world.count("server_exited"), 2 * 17);
  // It is said, and once for both.
  EXPECT_GE(world.count("starts_delayed"), world.count("server_exited") / 2);
  const auto last = std::find_if(world.reports().rbegin(), world.reports().rend(),
                                 [](const Report& report) { return report.event == "starts_delayed"; });
  ASSERT_NE(last, world.reports().rend());
  EXPECT_THAT(last->why, EndsWith("the next start is in 1m"));
  // Once they stay, one that ends is replaced at once.
  world.lifetime = absl::InfiniteDuration();
  world.run_for(absl::Minutes(2));
  ASSERT_EQ(world.ready_on(0), 2);
  world.kill_process(world.processes().begin()->first);
  world.run_for(absl::Seconds(5));
  EXPECT_EQ(world.ready_on(0), 2);
}

TEST(Controller, ShutsDownOnDemand) {
  World world(world_options(2));
  world.load = constant(50);
  world.run_for(absl::Seconds(20));
  world.drains_end = false;
  world.controller().shut_down(absl::FromUnixSeconds(1'700'000'000) + absl::Seconds(world.seconds()));
  world.run_for(absl::Seconds(5));
  EXPECT_TRUE(world.controller().finished());
  EXPECT_TRUE(world.processes().empty());
  EXPECT_EQ(world.ready_on(0), 0);
}

TEST(Controller, StandsByWhileANewerOneIsPrimarySomewhere) {
  World world(world_options(2));
  world.load = [](double seconds) { return seconds < 30 ? 50 : 100; };
  world.run_for(absl::Seconds(20));
  world.supersede(1, true);
  world.run_for(absl::Seconds(5));
  EXPECT_TRUE(world.controller().standing_by());
  EXPECT_EQ(world.count("standby"), 1);
  const auto before = world.processes();
  const int applied = world.applied_on(0);
  // The load asks for five more, and one dies: both are for the other to see to.
  world.kill_process("s2");
  world.run_for(absl::Minutes(2));
  EXPECT_EQ(world.processes().size(), before.size() - 1);
  EXPECT_EQ(world.applied_on(0), applied);
  // That data plane loses its state, and with it the other's claim.
  world.supersede(1, false);
  world.lose_session(1);
  world.connect_session(1, true);
  world.run_for(absl::Seconds(20));
  EXPECT_FALSE(world.controller().standing_by());
  EXPECT_EQ(world.ready_on(0), 10);
  EXPECT_EQ(world.ready_on(1), 10);
}

TEST(Controller, ServersThatOnlyStartAreStoppedWhenANewerOneIsPrimary) {
  World world(world_options());
  world.run_for(absl::Milliseconds(600));
  ASSERT_EQ(world.processes().size(), 2u);
  world.supersede(0, true);
  world.lose_session(0);
  world.connect_session(0);
  world.run_for(absl::Seconds(10));
  EXPECT_TRUE(world.processes().empty());
}

TEST(Controller, OneThatStandsByTakesNothingWithIt) {
  World world(world_options());
  world.load = constant(50);
  world.run_for(absl::Seconds(20));
  world.supersede(0, true);
  world.run_for(absl::Seconds(5));
  world.controller().shut_down(absl::FromUnixSeconds(1'700'000'000) + absl::Seconds(world.seconds()));
  world.run_for(absl::Seconds(5));
  EXPECT_TRUE(world.controller().finished());
  EXPECT_EQ(world.processes().size(), 5u);
  EXPECT_EQ(world.ready_on(0), 5);
}

}  // namespace
}  // namespace fairlead::control
