// Servers that follow another's health: what they take from it, whatever becomes of it.
#include <gmock/gmock.h>

#include <map>
#include <random>

#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kBackends =
    R"(operations { upsert { backend { name: "web" health_check { tcp {} } } } } operations { upsert { backend { name: "side" } } })";

std::string add(const std::string& backend, const std::string& name, const std::string& fields = "") {
  return "operations { upsert { server { backend: \"" + backend + "\" name: \"" + name +
         "\" address: \"10.0.0.1:80\" " + fields + " } } }";
}
std::string track(const std::string& target) { return "health_check { track: \"" + target + "\" }"; }
std::string remove(const std::string& backend, const std::string& name) {
  return "operations { delete { server { backend: \"" + backend + "\" name: \"" + name + "\" } } }";
}

class TrackingTest : public StoreFixture {
 protected:
  config::Uid uid(const std::string& backend, const std::string& name) {
    return server(backend, name)->record->metadata.uid;
  }
  void find(const std::string& name, bool is_up, const std::string& reason) {
    half_.find(uid("web", name), is_up, reason);
  }
  // "READY UP track web/s1: connected"
  std::string state(const std::string& backend, const std::string& name) {
    ServerView view = *server(backend, name);
    std::string text =
        v1::Lifecycle_Name(view.lifecycle).substr(10) + " " + v1::Health_Name(health_of(view.health.get())).substr(7);
    if (view.health && seen(view.health.get()) != SeenHealth::kUnknown) text += " " + store::reason_of(*view.health);
    base::Ref<const config::Snapshot> snapshot = half_.snapshot();
    const auto* holder = snapshot->find(view.handle)->eligible.find(view.record->slot);
    EXPECT_EQ(view.effective_weight > 0, holder && (*holder)->metadata.uid == view.record->metadata.uid) << text;
    return text;
  }
  std::string follower(const std::string& name = "f1") { return state("side", name); }
};

TEST_F(TrackingTest, AFollowerIsAsHealthyAsItsTarget) {
  must(kBackends);
  must(add("web", "s1"));
  must(add("side", "f1", track("web/s1")));
  EXPECT_EQ(follower(), "PENDING UNKNOWN");
  EXPECT_FALSE(half_.checked().contains(uid("side", "f1")));
  auto queue = std::make_shared<EventQueue>(std::nullopt, [] {});
  read([&](Reader& reader) { return reader.subscribe(queue), 0; });
  config::Version before = read([](Reader& reader) { return reader.version(); });
  find("s1", false, "connect: refused");
  EXPECT_EQ(follower(), "PENDING DOWN track web/s1: connect: refused");
  find("s1", true, "connected");
  EXPECT_EQ(follower(), "READY UP track web/s1: connected");
  find("s1", false, "connect: refused");
  EXPECT_EQ(follower(), "READY DOWN track web/s1: connect: refused");
  find("s1", true, "connected");
  EXPECT_EQ(follower(), "READY UP track web/s1: connected");
  // One that is added now need not wait.
  must(add("side", "f2", track("web/s1")));
  EXPECT_EQ(follower("f2"), "READY UP track web/s1: connected");
  EXPECT_EQ(read([](Reader& reader) { return reader.version(); }), before + 1) << "health is no configuration";
  std::vector<std::string> steps;
  for (auto taken = queue->take(); taken.event; taken = queue->take()) {
    const auto* step = std::get_if<ServerStep>(&taken.event->what);
    if (!step || !step->name.starts_with("f")) continue;
    steps.push_back(step->name + " " + v1::Lifecycle_Name(step->lifecycle).substr(10) + " " +
                    v1::Health_Name(step->health).substr(7) + " " + step->reason);
  }
  EXPECT_THAT(steps, ElementsAre("f1 PENDING DOWN track web/s1: connect: refused",
                                 "f1 READY UP track web/s1: connected", "f1 READY DOWN track web/s1: connect: refused",
                                 "f1 READY UP track web/s1: connected", "f2 READY UP track web/s1: connected"));
}

TEST_F(TrackingTest, FollowersOfFollowersNameTheFirst) {
  must(kBackends);
  must(add("web", "s1") + add("web", "s2", track("web/s1")) + add("side", "f1", track("web/s2")) +
       add("side", "f2", track("side/f1")));
  find("s1", true, "connected");
  EXPECT_EQ(state("web", "s2"), "READY UP track web/s1: connected");
  EXPECT_EQ(follower("f2"), "READY UP track web/s1: connected");
  find("s1", false, "status: 503");
  EXPECT_EQ(follower("f2"), "READY DOWN track web/s1: status: 503");
}

TEST_F(TrackingTest, ATargetThatIsDeletedLeavesItsFollowersAsTheyAre) {
  must(kBackends);
  must(add("web", "s1") + add("web", "s2"));
  find("s1", true, "connected");
  must(add("side", "f1", track("web/s1")) + add("side", "f2", track("web/s2")));
  find("s2", true, "connected");
  find("s2", false, "connect: refused");
  // Taken before they go: of who is gone nothing is found.
  EXPECT_EQ(follower("f2"), "READY DOWN track web/s2: connect: refused");
  must(remove("web", "s1") + remove("web", "s2"));
  EXPECT_EQ(follower("f1"), "READY UP track web/s1: connected");
  EXPECT_EQ(follower("f2"), "READY DOWN track web/s2: connect: refused");
  must(add("side", "f1", track("web/s1") + "weight: 7"));
  EXPECT_EQ(follower("f1"), "READY UP track web/s1: connected") << "it may be changed";
  // Another one of that name decides when it has been checked.
  must(add("web", "s1") + add("web", "s2"));
  EXPECT_EQ(follower("f1"), "READY UP track web/s1: connected");
  EXPECT_EQ(follower("f2"), "READY DOWN track web/s2: connect: refused");
  find("s1", false, "status: 500");
  find("s2", true, "connected");
  EXPECT_EQ(follower("f1"), "READY DOWN track web/s1: status: 500");
  EXPECT_EQ(follower("f2"), "READY UP track web/s2: connected");
  must(R"(operations { delete { backend: "web" } })");
  EXPECT_EQ(follower("f2"), "READY UP track web/s2: connected");
}

TEST_F(TrackingTest, ATargetThatIsNotChecked) {
  must(kBackends);
  must(add("web", "s1", "health_check { disabled: true }"));
  must(add("side", "f1", track("web/s1")));
  EXPECT_EQ(follower(), "READY UNKNOWN");
  must(add("web", "s1"));
  EXPECT_EQ(follower(), "READY UNKNOWN") << "it goes on, as its target does";
  find("s1", false, "connect: refused");
  EXPECT_EQ(follower(), "READY DOWN track web/s1: connect: refused");
  must(R"(operations { upsert { backend { name: "web" } } })");
  EXPECT_EQ(follower(), "READY UNKNOWN");
  must(kBackends);
  find("s1", true, "connected");
  must(add("web", "s1", "admin_state: ADMIN_STATE_MAINTENANCE"));
  EXPECT_EQ(follower(), "READY DOWN track web/s1: in MAINTENANCE");
  must(add("web", "s1", "admin_state: ADMIN_STATE_DRAIN"));
  find("s1", true, "connected");
  EXPECT_EQ(follower(), "READY UP track web/s1: connected") << "DRAIN is not followed";
  half_.find(uid("web", "s1"), false, "gone");
  must(add("side", "f1"));
  EXPECT_EQ(follower(), "READY UNKNOWN") << "nobody checks it any more";
}

TEST_F(TrackingTest, FollowingBeginsAndEndsInPlace) {
  must(kBackends);
  must(add("web", "s1") + add("web", "s2"));
  find("s1", true, "connected");
  find("s2", true, "connected");
  store::CheckOrder former = half_.order_of(uid("web", "s2"));
  must(add("web", "s2", track("web/s1")));
  EXPECT_EQ(state("web", "s2"), "READY UP track web/s1: connected");
  EXPECT_FALSE(half_.checked().contains(uid("web", "s2")));
  half_.find(former, false, "late");
  find("s1", false, "connect: refused");
  EXPECT_EQ(state("web", "s2"), "READY DOWN track web/s1: connect: refused");
  // A check that is changed is not the follower's.
  must(R"(operations { upsert { backend { name: "web" health_check { http {} agent { port: 9 } } } } })");
  EXPECT_EQ(state("web", "s2"), "READY DOWN track web/s1: connect: refused");
  must(add("web", "s2"));
  EXPECT_EQ(state("web", "s2"), "PENDING UNKNOWN") << "what was down has to prove itself";
  find("s2", true, "status 200");
  EXPECT_EQ(state("web", "s2"), "READY UP status 200");
  must(add("web", "s2", track("web/s1") + "admin_state: ADMIN_STATE_MAINTENANCE"));
  EXPECT_EQ(state("web", "s2"), "MAINTENANCE UNKNOWN");
  find("s1", true, "status 200");
  EXPECT_EQ(state("web", "s2"), "MAINTENANCE UNKNOWN");
  must(add("web", "s2", track("web/s1")));
  EXPECT_EQ(state("web", "s2"), "READY UP track web/s1: status 200");
}

TEST_F(TrackingTest, AnAgentsDownIsFollowedToo) {
  must(R"(operations { upsert { backend { name: "web" health_check { tcp {} agent { port: 9 } } } } })");
  must(add("web", "s1") + add("web", "s2", track("web/s1")));
  find("s1", true, "connected");
  half_.say(uid("web", "s1"), {.wish = config::AgentState::Wish::kDrain, .is_down = true, .said = "down # full"});
  EXPECT_EQ(state("web", "s2"), "READY DOWN track web/s1: agent: down # full");
  half_.say(uid("web", "s1"), {.wish = config::AgentState::Wish::kDrain, .said = "up"});
  EXPECT_EQ(state("web", "s2"), "READY UP track web/s1: connected") << "what it takes is its own affair";
}

TEST_F(TrackingTest, ATargetHasToBeThereAndNoCycleMayBe) {
  must(kBackends);
  auto refusal = [this](const std::string& text) {
    auto digest = read([](Reader& reader) { return reader.version(); });
    Result result = apply(text);
    EXPECT_TRUE(result.refused()) << text;
    EXPECT_EQ(read([](Reader& reader) { return reader.version(); }), digest);
    if (result.failures.empty()) return std::string();
    EXPECT_EQ(result.failures[0].failure.field, "health_check.track");
    EXPECT_EQ(result.failures[0].failure.reason, v1::REASON_INVALID);
    return std::to_string(result.failures[0].index.value_or(0)) + " " + result.failures[0].failure.text();
  };
  EXPECT_THAT(refusal(add("web", "s1") + add("web", "s2", track("web/no"))),
              HasSubstr("1 server web/s2: health_check.track: \"web/no\" does not exist"));
  EXPECT_THAT(refusal(add("web", "s1", track("no/s1"))), HasSubstr("does not exist"));
  EXPECT_THAT(refusal(add("web", "s1", track("web/s1"))), HasSubstr("is the server itself"));
  EXPECT_THAT(refusal(add("web", "s1", track("web/s2")) + add("web", "s2", track("web/s1"))),
              HasSubstr("0 server web/s1: health_check.track: \"web/s2\" follows this server itself"));
  // In one transaction the order does not matter.
  must(add("web", "s1", track("web/s2")) + add("web", "s2"));
  must(add("web", "s3", track("web/s1")));
  EXPECT_THAT(refusal(add("web", "s2", track("web/s3"))), HasSubstr("follows this server itself"));
  // Each operation alone: it does.
  Result each = apply(add("side", "f1", track("side/f2")) + add("side", "f2") + " atomicity: ATOMICITY_EACH");
  EXPECT_EQ(each.outcome, Outcome::kPartial);
  EXPECT_EQ(each.failures_total, 1u);
  must(add("side", "f1", track("side/f2")) + " atomicity: ATOMICITY_EACH");
  // A name that is gone is no way around.
  must(remove("web", "s2"));
  EXPECT_THAT(refusal(add("web", "s2", track("web/s3"))), HasSubstr("follows this server itself"));
  EXPECT_TRUE(apply(add("side", "f3", track("side/no")) + " validate_only: true").refused());
  std::string chain = add("side", "c0");
  for (int i = 1; i <= 100; ++i) {
    chain += add("side", "c" + std::to_string(i), track("side/c" + std::to_string(i - 1)));
  }
  must(chain);
  EXPECT_THAT(refusal(add("side", "c101", track("side/c100"))), HasSubstr("follows more than 100 servers"));
}

TEST_F(TrackingTest, WhatIsBroughtBackMayFollowSomebodyWhoIsGone) {
  must(kBackends);
  Transaction back = made(transaction_of(add("side", "f1", track("web/s1"))));
  back.restores = true;
  EXPECT_FALSE(post(std::move(back)).get().refused());
  EXPECT_EQ(follower(), "PENDING UNKNOWN");
  must(add("web", "s1"));
  find("s1", true, "connected");
  EXPECT_EQ(follower(), "READY UP track web/s1: connected");
}

TEST_F(TrackingTest, WhatIsRefusedChangesNoFollower) {
  must(kBackends);
  must(add("web", "s1") + add("side", "f1", track("web/s1")));
  find("s1", true, "connected");
  const std::string bad = R"( operations { create { server { backend: "no" name: "x" address: "10.0.0.1:80" } } })";
  for (const std::string& good :
       {remove("web", "s1"), add("web", "s1", "admin_state: ADMIN_STATE_MAINTENANCE"), add("side", "f1"),
        add("web", "s2") + add("side", "f1", track("web/s2")), remove("side", "f1") + remove("web", "s1"),
        std::string(R"(operations { upsert { backend { name: "web" } } })")}) {
    EXPECT_TRUE(apply(good + bad).refused());
    EXPECT_EQ(follower(), "READY UP track web/s1: connected") << good;
    find("s1", false, "down");
    EXPECT_EQ(follower(), "READY DOWN track web/s1: down") << good;
    find("s1", true, "connected");
  }
}

TEST_F(TrackingTest, MarkedDownClosesWhatThereIsWhereThatIsAskedFor) {
  must(R"(operations { upsert { backend { name: "web" health_check { tcp {} agent { port: 9 } } } } }
          operations { upsert { backend { name: "side" on_marked_down: ON_MARKED_DOWN_CLOSE } } })");
  must(add("web", "s1") + add("side", "f1", track("web/s1")));
  find("s1", false, "connect: refused");
  find("s1", true, "connected");
  EXPECT_THAT(half_.closed(), IsEmpty()) << "it had nothing";
  find("s1", false, "connect: refused");
  EXPECT_EQ(follower(), "READY DOWN track web/s1: connect: refused");
  EXPECT_THAT(half_.closed(), ElementsAre(uid("side", "f1")));
  find("s1", false, "connect: timed out");
  EXPECT_EQ(follower(), "READY DOWN track web/s1: connect: timed out");
  EXPECT_EQ(half_.closed().size(), 1u) << "once";
  // Set in place, and by an agent.
  find("s1", true, "connected");
  must(
      R"(operations { upsert { backend { name: "web" health_check { tcp {} agent { port: 9 } } on_marked_down: ON_MARKED_DOWN_CLOSE } } }
          operations { upsert { backend { name: "side" on_marked_down: ON_MARKED_DOWN_KEEP } } })");
  half_.say(uid("web", "s1"), {.wish = config::AgentState::Wish::kMaintenance, .said = "maint"});
  EXPECT_EQ(state("web", "s1"), "READY UP connected");
  EXPECT_EQ(half_.closed().size(), 1u) << "that is not DOWN";
  half_.say(uid("web", "s1"), {.said = "ready"});
  half_.say(uid("web", "s1"), {.is_down = true, .said = "down"});
  EXPECT_EQ(state("web", "s1"), "READY DOWN agent: down");
  EXPECT_THAT(half_.closed(), ElementsAre(uid("side", "f1"), uid("web", "s1")));
}

// Whatever comes: what a follower is follows from what its target is.
TEST_F(TrackingTest, RandomChangesLeaveFollowersInStep) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  must(kBackends);
  std::string text;
  for (int i = 0; i < 4; ++i) text += add("web", "s" + std::to_string(i));
  must(text);
  for (int round = 0; round < 400; ++round) {
    std::string target = "s" + std::to_string(below(4));
    std::string name = "f" + std::to_string(below(6));
    std::optional<ServerView> seen_target = server("web", target);
    switch (below(7)) {
      case 0:
        apply(remove("web", target));
        break;
      case 1:
        apply(remove("side", name));
        break;
      case 2:
        must(add("web", target, below(3) == 0 ? "health_check { disabled: true }" : ""));
        break;
      case 3:
        apply(add("side", name, track(below(4) == 0 ? "side/f" + std::to_string(below(6)) : "web/" + target)));
        break;
      case 4:
        apply(add("side", name, track("web/" + target)) + (below(2) ? " validate_only: true" : ""));
        break;
      default:
        if (seen_target && half_.checked().contains(seen_target->record->metadata.uid)) {
          half_.find(seen_target->record->metadata.uid, below(2) == 0, "r" + std::to_string(round));
        }
    }
    for (int i = 0; i < 6; ++i) {
      std::optional<ServerView> view = server("side", "f" + std::to_string(i));
      if (!view || !view->record->tracks()) continue;
      const std::string& of = view->record->extras->track;
      std::optional<ServerView> followed = server(of.substr(0, of.find('/')), of.substr(of.find('/') + 1));
      if (!followed || followed->lifecycle == v1::LIFECYCLE_DRAINING) continue;
      std::string mine = follower("f" + std::to_string(i));
      const Health* health = followed->health.get();
      if (!health) {
        ASSERT_EQ(mine, "READY UNKNOWN") << "round " << round;
      } else if (seen(health) != SeenHealth::kUnknown) {
        ASSERT_EQ(health_of(view->health.get()), health_of(health)) << "round " << round << " " << of;
      }
    }
  }
}

}  // namespace
}  // namespace fairlead::store
