// Health in the store: who is to be checked, whom the workers may pick by what was found, and who is told.
#include <gmock/gmock.h>

#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kChecked = R"(operations { upsert { backend { name: "web" health_check { tcp {} } } } })";
constexpr const char* kWithAgent =
    R"(operations { upsert { backend { name: "web" server_defaults { weight: 10 } health_check { tcp {} agent { port: 9 } } } } })";
constexpr const char* kUnchecked = R"(operations { upsert { backend { name: "web" } } })";

std::string add(const std::string& name, const std::string& fields = "") {
  return "operations { upsert { server { backend: \"web\" name: \"" + name + "\" address: \"10.0.0.1:80\" " + fields +
         " } } }";
}

class HealthTest : public StoreFixture {
 protected:
  config::Uid uid(const std::string& name) { return server("web", name)->record->metadata.uid; }
  // "PENDING UNKNOWN", "READY DOWN connect: refused".
  std::string state(const std::string& name) {
    ServerView view = *server("web", name);
    std::string text =
        v1::Lifecycle_Name(view.lifecycle).substr(10) + " " + v1::Health_Name(health_of(view.health.get())).substr(7);
    if (view.health && seen(view.health.get()) != SeenHealth::kUnknown) text += " " + store::reason_of(*view.health);
    EXPECT_EQ(view.effective_weight > 0, is_eligible(name));
    return text;
  }
  bool is_eligible(const std::string& name) {
    auto view = *server("web", name);
    base::Ref<const config::Snapshot> snapshot = half_.snapshot();
    const auto* holder = snapshot->find(view.handle)->eligible.find(view.record->slot);
    return holder && (*holder)->metadata.uid == view.record->metadata.uid;
  }
  void find(const std::string& name, bool is_up, const std::string& reason) { half_.find(uid(name), is_up, reason); }
  BackendView backend() {
    return read([](Reader& reader) { return *reader.find_backend("web"); });
  }
  config::Version version() {
    return read([](Reader& reader) { return reader.version(); });
  }
  // Steps from now on: "s1 READY UP connected".
  std::shared_ptr<EventQueue> watch(std::optional<uint64_t> session = std::nullopt) {
    auto queue = std::make_shared<EventQueue>(session, [] {});
    read([&](Reader& reader) { return reader.subscribe(queue), 0; });
    return queue;
  }
  std::vector<std::string> steps(EventQueue& queue) {
    version();  // all that was found is taken
    std::vector<std::string> result;
    while (true) {
      EventQueue::Taken taken = queue.take();
      if (!taken.event) return result;
      const auto* step = std::get_if<ServerStep>(&taken.event->what);
      if (!step) continue;
      std::string text = step->name + " " + v1::Lifecycle_Name(step->lifecycle).substr(10);
      if (step->health) text += " " + v1::Health_Name(step->health).substr(7) + " " + step->reason;
      if (taken.event->origin) text += " by " + taken.event->origin->actor;
      result.push_back(text);
    }
  }
};

TEST_F(HealthTest, AServerIsPendingUntilItsFirstSuccess) {
  must(kChecked);
  must(add("s1"));
  EXPECT_EQ(state("s1"), "PENDING UNKNOWN");
  EXPECT_FALSE(half_.order_of(uid("s1")).in_service);
  EXPECT_EQ(backend().eligible, 0u);
  EXPECT_EQ(backend().pending, 1u);
  config::Version before = version();
  auto queue = watch();
  find("s1", false, "connect: refused");
  EXPECT_EQ(state("s1"), "PENDING DOWN connect: refused");
  find("s1", false, "status: 503");
  EXPECT_EQ(state("s1"), "PENDING DOWN status: 503");
  find("s1", true, "status 200");
  EXPECT_EQ(state("s1"), "READY UP status 200");
  find("s1", false, "connect: refused");
  EXPECT_EQ(state("s1"), "READY DOWN connect: refused");
  EXPECT_EQ(backend().down, 1u);
  EXPECT_EQ(backend().pending, 0u);
  find("s1", true, "status 200");
  EXPECT_EQ(backend().eligible, 1u);
  EXPECT_EQ(backend().down, 0u);
  EXPECT_EQ(version(), before) << "health is no configuration";
  EXPECT_THAT(steps(*queue), ElementsAre("s1 PENDING DOWN connect: refused", "s1 READY UP status 200 by test",
                                         "s1 READY DOWN connect: refused", "s1 READY UP status 200"));
}

TEST_F(HealthTest, WhoAddedAServerHearsThatItIsReady) {
  must(kChecked);
  auto queue = watch(7);
  post(transaction_of(add("s1")), {}, 7).get();
  post(transaction_of(add("s2")), {}, 8).get();
  find("s1", true, "connected");
  find("s2", true, "connected");
  EXPECT_THAT(steps(*queue), ElementsAre("s1 READY UP connected by test"));
}

TEST_F(HealthTest, AnInitialStateOfUpTakesRequestsAtOnce) {
  must(R"(operations { upsert { backend { name: "web" health_check { tcp {} initial_state: INITIAL_STATE_UP } } } })");
  must(add("s1"));
  EXPECT_EQ(state("s1"), "READY UNKNOWN");
  EXPECT_TRUE(half_.order_of(uid("s1")).in_service);
  find("s1", false, "connect: refused");
  EXPECT_EQ(state("s1"), "READY DOWN connect: refused");
}

TEST_F(HealthTest, AnUpdateInPlaceKeepsWhatIsKnown) {
  must(kChecked);
  must(add("s1"));
  must(add("s2"));
  find("s1", true, "connected");
  find("s2", false, "connect: refused");
  uint64_t check = half_.order_of(uid("s1")).check;
  must(add("s1", "weight: 7 labels { key: \"a\" value: \"b\" }"));
  must(add("s2", "weight: 7"));
  EXPECT_EQ(state("s1"), "READY UP connected");
  EXPECT_EQ(state("s2"), "PENDING DOWN connect: refused");
  EXPECT_EQ(half_.order_of(uid("s1")).check, check);
  EXPECT_EQ(*half_.order_of(uid("s1")).server->weight, 7);
  must(R"(operations { upsert { backend { name: "web" health_check { http { path: "/x" } rise: 7 } } } })");
  EXPECT_EQ(state("s1"), "READY UP connected");
  EXPECT_EQ(state("s2"), "PENDING DOWN connect: refused");
  EXPECT_EQ(half_.check_changes(), 1);
  EXPECT_EQ(half_.order_of(uid("s1")).backend->health_check->rise, 7);
  // A resync of the same touches nothing.
  int publications = half_.publications();
  must(add("s1", "weight: 7 labels { key: \"a\" value: \"b\" }"));
  EXPECT_EQ(half_.publications(), publications);
  EXPECT_EQ(half_.order_of(uid("s1")).check, check);
}

TEST_F(HealthTest, AnotherAddressHasToProveItself) {
  must(kChecked);
  must(add("s1"));
  find("s1", true, "connected");
  store::CheckOrder former = half_.order_of(uid("s1"));
  must(R"(operations { upsert { server { backend: "web" name: "s1" address: "10.0.0.9:80" } } })");
  EXPECT_EQ(state("s1"), "PENDING UNKNOWN");
  half_.find(former, true, "connected");
  EXPECT_EQ(state("s1"), "PENDING UNKNOWN") << "that was the former one";
  find("s1", true, "connected");
  EXPECT_EQ(state("s1"), "READY UP connected");
}

TEST_F(HealthTest, AServerThatComesBackFromMaintenanceHasToProveItself) {
  must(kChecked);
  must(add("s1"));
  find("s1", true, "connected");
  must(add("s1", "admin_state: ADMIN_STATE_MAINTENANCE"));
  EXPECT_THAT(half_.checked(), IsEmpty());
  EXPECT_EQ(state("s1"), "MAINTENANCE UNKNOWN");
  auto queue = watch();
  must(add("s1"));
  EXPECT_EQ(state("s1"), "PENDING UNKNOWN");
  find("s1", true, "connected");
  EXPECT_EQ(state("s1"), "READY UP connected");
  EXPECT_THAT(steps(*queue), ElementsAre("s1 PENDING by test", "s1 READY UP connected by test"));
}

TEST_F(HealthTest, OneThatDrainsIsCheckedAndComesBackAsItIs) {
  must(kChecked);
  must(add("s1"));
  find("s1", true, "connected");
  must(add("s1", "admin_state: ADMIN_STATE_DRAIN"));
  EXPECT_EQ(state("s1"), "DRAINED UP connected");
  find("s1", false, "connect: refused");
  EXPECT_EQ(state("s1"), "DRAINED DOWN connect: refused");
  must(add("s1"));
  EXPECT_EQ(state("s1"), "READY DOWN connect: refused");
}

TEST_F(HealthTest, ACheckThatIsSetInPlaceLeavesServersInService) {
  must(kUnchecked);
  must(add("s1"));
  must(add("s2"));
  must(kChecked);
  EXPECT_EQ(state("s1"), "READY UNKNOWN");
  EXPECT_EQ(half_.checked().size(), 2u);
  EXPECT_TRUE(half_.order_of(uid("s1")).in_service);
  find("s1", false, "connect: refused");
  find("s2", true, "connected");
  EXPECT_EQ(state("s1"), "READY DOWN connect: refused");
  EXPECT_EQ(state("s2"), "READY UP connected");
  store::CheckOrder former = half_.order_of(uid("s2"));
  must(kUnchecked);
  EXPECT_THAT(half_.checked(), IsEmpty());
  EXPECT_EQ(state("s1"), "READY UNKNOWN");
  EXPECT_EQ(backend().eligible, 2u);
  half_.find(former, false, "late");
  EXPECT_EQ(state("s2"), "READY UNKNOWN");
}

TEST_F(HealthTest, AServerMaySwitchItsChecksOff) {
  must(kChecked);
  must(add("s1", "health_check { disabled: true }"));
  EXPECT_EQ(state("s1"), "READY UNKNOWN");
  EXPECT_THAT(half_.checked(), IsEmpty());
  must(add("s1", "health_check { port: 9 }"));
  EXPECT_EQ(state("s1"), "READY UNKNOWN") << "it was in service";
  find("s1", false, "connect: refused");
  EXPECT_EQ(state("s1"), "READY DOWN connect: refused");
  must(add("s1", "health_check { disabled: true }"));
  EXPECT_EQ(state("s1"), "READY UNKNOWN");
}

TEST_F(HealthTest, ALateResultIsNotForAnotherOfTheSameName) {
  must(kChecked);
  must(add("s1"));
  store::CheckOrder former = half_.order_of(uid("s1"));
  must(R"(operations { delete { server { backend: "web" name: "s1" } } })");
  EXPECT_THAT(half_.checked(), IsEmpty());
  half_.find(former, true, "connected");
  must(add("s1"));
  half_.find(former, true, "connected");
  EXPECT_EQ(state("s1"), "PENDING UNKNOWN");
}

TEST_F(HealthTest, WhatIsRefusedLeavesHealthAsItWas) {
  must(kChecked);
  must(add("s1"));
  must(add("s2"));
  find("s1", true, "connected");
  find("s2", false, "connect: refused");
  uint64_t check = half_.order_of(uid("s1")).check;
  const std::string bad = R"( operations { create { server { backend: "no" name: "x" address: "10.0.0.1:80" } } })";
  for (const std::string& good :
       {std::string(kUnchecked), add("s2", "health_check { disabled: true }"), add("s3"),
        add("s1", "admin_state: ADMIN_STATE_MAINTENANCE"), std::string(kUnchecked) + kChecked,
        std::string(R"(operations { upsert { server { backend: "web" name: "s1" address: "10.0.0.9:80" } } })"),
        std::string(R"(operations { delete { server { backend: "web" name: "s2" } } })"),
        std::string(kUnchecked) + R"(operations { delete { server { backend: "web" name: "s2" } } })",
        std::string(kWithAgent), std::string(kWithAgent) + kUnchecked,
        std::string(R"(operations { delete { backend: "web" } })")}) {
    for (const std::string& text : {good + bad, good + " validate_only: true"}) {
      SCOPED_TRACE(text);
      Result result = apply(text);
      EXPECT_TRUE(result.refused() || result.outcome == Outcome::kUnchanged);
      EXPECT_EQ(state("s1"), "READY UP connected");
      EXPECT_EQ(state("s2"), "PENDING DOWN connect: refused");
      EXPECT_EQ(half_.order_of(uid("s1")).check, check);
      EXPECT_EQ(half_.checked().size(), 2u);
      EXPECT_EQ(backend().eligible, 1u);
      EXPECT_EQ(backend().pending, 1u);
    }
  }
  find("s2", true, "connected");
  EXPECT_EQ(backend().eligible, 2u);
}

TEST_F(HealthTest, AnAgentsWordHoldsOnTopOfTheCheck) {
  must(kWithAgent);
  must(add("s1"));
  half_.say(uid("s1"), {.is_down = true, .said = "down # full"});
  EXPECT_EQ(state("s1"), "PENDING DOWN agent: down # full");
  find("s1", true, "connected");
  EXPECT_EQ(state("s1"), "READY DOWN agent: down # full");
  EXPECT_EQ(backend().down, 1u);
  auto queue = watch();
  half_.say(uid("s1"), {.said = "up"});
  EXPECT_EQ(state("s1"), "READY UP connected");
  half_.say(uid("s1"), {.wish = config::AgentState::Wish::kDrain, .said = "drain"});
  EXPECT_EQ(state("s1"), "READY UP connected");
  EXPECT_FALSE(is_eligible("s1"));
  find("s1", false, "connect: refused");
  half_.say(uid("s1"), {.said = "ready"});
  EXPECT_EQ(state("s1"), "READY DOWN connect: refused");
  half_.say(uid("s1"), {.said = "ready", .problem = "connect: refused"});
  EXPECT_EQ(server("web", "s1")->health->agent->state.problem, "connect: refused");
  EXPECT_THAT(steps(*queue), ElementsAre("s1 READY UP agent: up", "s1 READY UP agent: drain",
                                         "s1 READY DOWN connect: refused", "s1 READY DOWN agent: ready"));
}

TEST_F(HealthTest, AnAgentsWeightAndLimitAreWhatWorkersSee) {
  must(kWithAgent);
  must(add("s1"));
  must(add("s2", "weight: 3 max_connections: 50"));
  find("s1", true, "connected");
  find("s2", true, "connected");
  config::Version before = version();
  auto seen_by_workers = [&](const std::string& name) {
    auto view = *server("web", name);
    base::Ref<const config::Snapshot> snapshot = half_.snapshot();
    const config::BackendSnapshot* backend = snapshot->find(view.handle);
    const auto* holder = backend->eligible.find(view.record->slot);
    if (!holder) return std::string("none");
    EXPECT_EQ(backend->eligible.weight_at(view.record->slot, 0), (*holder)->weight.value_or(0));
    return std::to_string((*holder)->weight.value_or(0)) + " " +
           std::to_string((*holder)->max_connections.value_or(0)) + (backend->counts_in_flight ? " counted" : "");
  };
  EXPECT_EQ(seen_by_workers("s1"), "0 0 counted");
  half_.say(uid("s1"), {.weight_percent = 75});
  half_.say(uid("s2"), {.weight_percent = 50, .max_connections = 0});
  EXPECT_EQ(server("web", "s1")->effective_weight, 8u) << "7.5, rounded up";
  EXPECT_EQ(seen_by_workers("s1"), "8 0") << "nobody has a limit any more";
  EXPECT_EQ(seen_by_workers("s2"), "2 0");
  EXPECT_EQ(version(), before);
  // The default changes, and the record.
  must(
      R"(operations { upsert { backend { name: "web" server_defaults { weight: 100 } health_check { tcp {} agent { port: 9 } } } } })");
  EXPECT_EQ(seen_by_workers("s1"), "75 0");
  must(add("s1", "weight: 200 labels { key: \"a\" value: \"b\" }"));
  EXPECT_EQ(seen_by_workers("s1"), "150 0");
  half_.say(uid("s1"), {.weight_percent = 1000, .max_connections = 5});
  EXPECT_EQ(seen_by_workers("s1"), "256 5 counted");
  half_.say(uid("s1"), {.weight_percent = 0});
  EXPECT_EQ(seen_by_workers("s1"), "none");
  EXPECT_EQ(server("web", "s1")->effective_weight, 0u);
  // Without the agent it is as configured.
  must(kChecked);
  EXPECT_EQ(seen_by_workers("s1"), "200 0 counted");
  EXPECT_EQ(seen_by_workers("s2"), "3 50 counted");
  EXPECT_EQ(state("s1"), "READY UP connected") << "what the check has found stays";
}

TEST_F(HealthTest, AnAgentAloneLeavesServersInService) {
  must(R"(operations { upsert { backend { name: "web" health_check { agent { port: 9 } } } } })");
  must(add("s1"));
  EXPECT_EQ(state("s1"), "READY UNKNOWN");
  half_.say(uid("s1"), {.is_down = true, .said = "stopped"});
  EXPECT_EQ(state("s1"), "READY DOWN agent: stopped");
  // A check beside it has to say that it is up, but it was in service.
  must(kWithAgent);
  EXPECT_EQ(state("s1"), "READY UNKNOWN");
}

TEST_F(HealthTest, ManyResultsAreOnePublication) {
  must(kChecked);
  for (int i = 0; i < 50; ++i) must(add("s" + std::to_string(i)));
  std::vector<store::CheckResult> results;
  for (config::Uid server : half_.checked()) {
    results.push_back(half_.result_of(half_.order_of(server), true, "connected"));
  }
  int before = half_.publications();
  half_.find(std::move(results));
  EXPECT_EQ(backend().eligible, 50u);
  EXPECT_EQ(half_.publications(), before + 1);
  // What changes nothing that workers see is not published.
  find("s1", false, "connect: refused");
  version();
  before = half_.publications();
  find("s1", false, "connect: reset");
  EXPECT_EQ(state("s1"), "READY DOWN connect: reset");
  EXPECT_EQ(half_.publications(), before);
}

TEST_F(HealthTest, ListingsAndWatchersSeeIt) {
  must(kChecked);
  must(add("s1"));
  must(add("s2"));
  find("s1", true, "connected");
  auto pending = read([](Reader& reader) {
    return *reader.list_servers({.backend = "web", .labels = {}, .lifecycles = {v1::LIFECYCLE_PENDING}}, {});
  });
  ASSERT_EQ(pending.items.size(), 1u);
  EXPECT_EQ(pending.items[0].record->name, "s2");
  Everything everything = read([](Reader& reader) { return reader.everything(); });
  const Everything::Group& group = everything.backends.at(0);
  group.members.for_each([&](config::Slot, const auto& record) {
    ServerView view = everything.view(group, record);
    EXPECT_EQ(view.lifecycle, record->name == "s1" ? v1::LIFECYCLE_READY : v1::LIFECYCLE_PENDING);
    EXPECT_EQ(health_of(view.health.get()), record->name == "s1" ? v1::HEALTH_UP : v1::HEALTH_UNKNOWN);
  });
  auto lifecycles = read([](Reader& reader) { return reader.lifecycles(); });
  EXPECT_THAT(lifecycles, ElementsAre(testing::Pair(uid("s2"), v1::LIFECYCLE_PENDING)));
}

}  // namespace
}  // namespace fairlead::store
