// Which servers a backend uses, by preference and health: what workers see, what clients are told.
#include <gmock/gmock.h>

#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TiersTest : public StoreFixture {
 protected:
  static std::string add(const std::string& name, const std::string& fields = "") {
    return "operations { upsert { server { backend: \"web\" name: \"" + name + "\" address: \"10.0.0.1:80\" " + fields +
           " } } }";
  }
  static std::string backend_with(const std::string& fields) {
    return "operations { upsert { backend { name: \"web\" health_check { tcp {} initial_state: INITIAL_STATE_UP } " +
           fields + " } } }";
  }
  void find(const std::string& name, bool is_up) {
    half_.find(server("web", name)->record->metadata.uid, is_up, is_up ? "connected" : "connect: refused");
    view();  // it is taken
  }
  BackendView view() {
    return read([](Reader& reader) { return *reader.find_backend("web"); });
  }
  base::Ref<const config::BackendSnapshot> seen() {
    base::Ref<const config::Backend> record = view().record;
    base::Ref<const config::Snapshot> snapshot = half_.snapshot();
    return base::Ref(snapshot->find({record->slot, record->metadata.uid}));
  }
  // To which of "s0", "s1" ... clients come back, by their cookies and by a table.
  std::vector<std::string> kept() {
    std::vector<std::string> result;
    base::Ref<const config::BackendSnapshot> backend = seen();
    for (const char* name : {"s0", "s1", "s2", "away"}) {
      base::Ref<const config::Server> record = server("web", name)->record;
      const config::Server* found = backend->find_kept(record->slot, record->metadata.uid);
      const base::SipKey& key = backend->settings->persistence->cookie->key;
      EXPECT_EQ(backend->find_kept(config::cookie_value(key, "web", name)), found) << name;
      EXPECT_EQ(backend->find_kept(record->slot, record->metadata.uid + 1), nullptr);
      if (found) result.push_back(found->name);
    }
    return result;
  }
  // "0: s1 s2 100%", most preferred first.
  std::vector<std::string> used() {
    base::Ref<const config::BackendSnapshot> held = seen();
    const config::BackendSnapshot& backend = *held;
    std::vector<std::string> result;
    if (backend.eligible.size() > 0) result.push_back(line(backend.rank, backend.share, backend.eligible));
    for (const config::Tier& tier : backend.further) result.push_back(line(tier.rank, tier.share, tier.eligible));
    return result;
  }
  static std::string line(uint8_t rank, uint32_t share, const config::EligibleServers& servers) {
    std::set<std::string> names;
    servers.members().for_each([&](config::Slot, const auto& server) { names.insert(server->name); });
    std::string text = std::to_string(rank) + ":";
    for (const std::string& name : names) text += " " + name;
    return text + " " + std::to_string((share * 100 + config::TierShares::kWhole / 2) / config::TierShares::kWhole) +
           "%";
  }
  std::shared_ptr<EventQueue> watch() {
    auto queue = std::make_shared<EventQueue>(std::nullopt, [] {});
    read([&](Reader& reader) { return reader.subscribe(queue), 0; });
    return queue;
  }
  std::vector<std::string> steps(EventQueue& queue) {
    view();
    std::vector<std::string> result;
    while (true) {
      EventQueue::Taken taken = queue.take();
      if (!taken.event) return result;
      const auto* step = std::get_if<BackendStep>(&taken.event->what);
      if (step) result.push_back(step->use.panic ? "panic" : step->use.on_backups ? "on backups" : "normal");
    }
  }
};

TEST_F(TiersTest, ABackupServesWhileNobodyElseCan) {
  must(backend_with(""));
  must(add("s1"));
  must(add("old", "backup: true"));
  must(add("young", "backup: true"));
  auto queue = watch();
  EXPECT_THAT(used(), ElementsAre("0: s1 100%", "32: old 0%"));
  find("s1", false);
  EXPECT_THAT(used(), ElementsAre("32: old 100%"));
  EXPECT_TRUE(view().use.on_backups);
  EXPECT_THAT(steps(*queue), ElementsAre("on backups"));
  find("old", false);
  EXPECT_THAT(used(), ElementsAre("32: young 100%"));
  must(backend_with("failover { backups: BACKUP_USE_ALL }"));
  find("old", true);
  find("old", true);
  EXPECT_THAT(used(), ElementsAre("32: old young 100%"));
  EXPECT_THAT(steps(*queue), IsEmpty());
  find("s1", true);
  find("s1", true);
  EXPECT_THAT(used(), ElementsAre("0: s1 100%", "32: old young 0%"));
  EXPECT_THAT(steps(*queue), ElementsAre("normal"));
}

TEST_F(TiersTest, WhatAPriorityCannotTakeGoesToTheNext) {
  must(backend_with(""));
  for (int i = 0; i < 4; ++i) must(add("a" + std::to_string(i)));
  for (int i = 0; i < 4; ++i) must(add("b" + std::to_string(i), "priority: 1"));
  EXPECT_THAT(used(), ElementsAre("0: a0 a1 a2 a3 100%", "2: b0 b1 b2 b3 0%"));
  find("a0", false);
  EXPECT_THAT(used()[0], "0: a1 a2 a3 100%") << "three of four are good for 105 %";
  find("a1", false);
  EXPECT_THAT(used(), ElementsAre("0: a2 a3 70%", "2: b0 b1 b2 b3 30%"));
  EXPECT_EQ(view().tiers.size(), 2u);
  // In place.
  must(add("a2", "priority: 1"));
  EXPECT_THAT(used(), ElementsAre("0: a3 47%", "2: a2 b0 b1 b2 b3 53%"));
  must("operations { delete { server { backend: \"web\" name: \"a3\" } } }");
  EXPECT_THAT(used(), ElementsAre("2: a2 b0 b1 b2 b3 100%"));
}

TEST_F(TiersTest, InPanicHealthIsNotLookedAt) {
  must(backend_with("failover { panic_threshold: 50 }"));
  for (int i = 0; i < 4; ++i) must(add("s" + std::to_string(i)));
  must(add("drains", "admin_state: ADMIN_STATE_DRAIN"));
  auto queue = watch();
  find("s0", false);
  find("s1", false);
  EXPECT_THAT(used(), ElementsAre("0: s2 s3 100%"));
  find("s2", false);
  EXPECT_THAT(used(), ElementsAre("0: s0 s1 s2 s3 100%"));
  EXPECT_TRUE(view().use.panic);
  EXPECT_EQ(view().eligible, 1u) << "what is healthy";
  find("s2", true);
  find("s2", true);
  EXPECT_THAT(used(), ElementsAre("0: s2 s3 100%"));
  EXPECT_THAT(steps(*queue), ElementsAre("panic", "normal"));
  // Set in place.
  must(backend_with("failover { panic_threshold: 60 }"));
  EXPECT_THAT(used(), ElementsAre("0: s0 s1 s2 s3 100%"));
  must(backend_with(""));
  EXPECT_THAT(used(), ElementsAre("0: s2 s3 100%"));
}

TEST_F(TiersTest, InPanicClientsComeBackToWhoeverIsPicked) {
  must(
      backend_with("failover { panic_threshold: 50 } persistence { cookie { name: \"SRV\" secret: \"s\" } table { key: "
                   "\"{source}\" } }"));
  for (int i = 0; i < 3; ++i) must(add("s" + std::to_string(i)));
  must(add("away", "admin_state: ADMIN_STATE_MAINTENANCE"));
  find("s0", false);
  EXPECT_THAT(kept(), ElementsAre("s1", "s2"));
  find("s1", false);
  EXPECT_TRUE(view().use.panic);
  EXPECT_THAT(kept(), ElementsAre("s0", "s1", "s2"));
  find("s1", true);
  find("s1", true);
  EXPECT_THAT(kept(), ElementsAre("s1", "s2"));
}

TEST_F(TiersTest, NewServersThatWereNeverUpBeginNoPanic) {
  must("operations { upsert { backend { name: \"web\" health_check { tcp {} } failover { panic_threshold: 50 } } } }");
  must(add("s1"));
  find("s1", true);
  for (int i = 0; i < 10; ++i) must(add("new" + std::to_string(i)));
  EXPECT_THAT(used(), ElementsAre("0: s1 100%"));
  EXPECT_FALSE(view().use.panic);
}

TEST_F(TiersTest, NewServersThatWereNeverUpMoveNoShareToTheNextPriority) {
  must("operations { upsert { backend { name: \"web\" health_check { tcp {} } } } }");
  must(add("s1"));
  must(add("far", "priority: 1"));
  find("s1", true);
  find("far", true);
  EXPECT_THAT(used(), ElementsAre("0: s1 100%", "2: far 0%"));
  for (int i = 0; i < 10; ++i) must(add("new" + std::to_string(i)));
  EXPECT_THAT(used(), ElementsAre("0: s1 100%", "2: far 0%"));
  // Who was up and is down counts.
  for (bool is_up : {true, false}) {
    for (int i = 0; i < 10; ++i) find("new" + std::to_string(i), is_up);
  }
  EXPECT_NE(used(), std::vector<std::string>({"0: s1 100%", "2: far 0%"}));
}

TEST_F(TiersTest, AServerStartsSlowlyWhenItsFirstCheckSucceeds) {
  must(
      "operations { upsert { backend { name: \"web\" health_check { tcp {} } slow_start { window { seconds: 3600 } } } "
      "} }");
  for (const char* name : {"s1", "s2", "s3"}) must(add(name, "weight: 100"));
  EXPECT_THAT(used(), IsEmpty());
  for (const char* name : {"s1", "s2", "s3"}) find(name, true);
  for (const char* name : {"s1", "s2", "s3"}) EXPECT_EQ(server("web", name)->effective_weight, 10u) << name;
}

TEST_F(TiersTest, WhoIsThereWhenTheProcessBeginsDoesNotStartSlowly) {
  Transaction file = made(transaction_of(
      "operations { upsert { backend { name: \"web\" health_check { tcp {} } slow_start { window { seconds: 3600 } } "
      "} } } " +
      add("s1", "weight: 100") + add("s2", "weight: 100") + add("free", "weight: 100 health_check { disabled: true }") +
      add("off", "weight: 100 health_check { disabled: true } admin_state: ADMIN_STATE_MAINTENANCE")));
  file.is_beginning = true;
  EXPECT_FALSE(post(std::move(file)).get().refused());
  EXPECT_EQ(server("web", "free")->effective_weight, 100u);
  find("s1", true);
  EXPECT_EQ(server("web", "s1")->effective_weight, 100u) << "found for the first time";
  for (bool is_up : {false, true}) {
    for (int i = 0; i < 5; ++i) find("s1", is_up);
  }
  EXPECT_EQ(server("web", "s1")->effective_weight, 10u) << "it was away";
  for (bool is_up : {false, true}) {
    for (int i = 0; i < 5; ++i) find("s2", is_up);
  }
  EXPECT_EQ(server("web", "s2")->effective_weight, 10u) << "it was down first";
  must(add("off", "weight: 100 health_check { disabled: true }"));
  EXPECT_EQ(server("web", "off")->effective_weight, 10u);
  must(add("new", "weight: 100 health_check { disabled: true }"));
  EXPECT_EQ(server("web", "new")->effective_weight, 10u);
}

TEST_F(TiersTest, AServerStartsSlowlyWhenItBeginsToTakeRequests) {
  must(backend_with("slow_start { window { seconds: 3600 } }"));
  must(add("s1", "weight: 100"));
  EXPECT_EQ(server("web", "s1")->effective_weight, 10u);
  must(add("s1", "weight: 200"));
  EXPECT_EQ(server("web", "s1")->effective_weight, 20u) << "another weight begins nothing";
  must(backend_with(""));
  EXPECT_EQ(server("web", "s1")->effective_weight, 200u);
  must(backend_with("slow_start { window { seconds: 3600 } }"));
  EXPECT_EQ(server("web", "s1")->effective_weight, 200u) << "it was there before";
  must(add("s1", "weight: 200 admin_state: ADMIN_STATE_DRAIN"));
  must(add("s1", "weight: 200"));
  EXPECT_EQ(server("web", "s1")->effective_weight, 200u);
  for (int i = 0; i < 3; ++i) find("s1", false);
  EXPECT_EQ(server("web", "s1")->effective_weight, 0u);
  for (int i = 0; i < 2; ++i) find("s1", true);
  EXPECT_EQ(server("web", "s1")->effective_weight, 20u);
}

TEST_F(TiersTest, WhatWasRefusedBeginsNothing) {
  must(backend_with("slow_start { window { seconds: 3600 } }"));
  must("operations { upsert { backend { name: \"web\" } } }");
  must(add("s1", "weight: 100"));
  must(backend_with("slow_start { window { seconds: 3600 } }"));
  Result result = apply(
      "operations { delete { server { backend: \"web\" name: \"s1\" } } } operations { replace { server { backend: "
      "\"web\" name: \"nobody\" address: \"10.0.0.1:80\" } } }");
  EXPECT_TRUE(result.refused());
  EXPECT_EQ(server("web", "s1")->effective_weight, 100u);
}

TEST(NearServers, ComeFirst) {
  test_support::FakeReadingHalf half;
  auto store = *Store::open(half, {}, nullptr, "here");
  auto apply = [&](const std::string& text) {
    std::promise<Result> done;
    store->apply(make_transaction(transaction_of(text), store->limits(), std::make_shared<const Origin>()), {},
                 [&](Result result) { done.set_value(std::move(result)); });
    EXPECT_FALSE(done.get_future().get().refused()) << text;
  };
  apply("operations { upsert { backend { name: \"web\" failover { zones { prefer_near: true label: \"site\" } } } } }");
  auto add = [&](const std::string& name, const std::string& site) {
    apply("operations { upsert { server { backend: \"web\" name: \"" + name +
          "\" address: \"10.0.0.1:80\" labels { key: \"site\" value: \"" + site + "\" } } } }");
  };
  add("a", "here");
  add("b", "there");
  auto ranks = [&] {
    const config::BackendSnapshot* backend = nullptr;
    base::Ref<const config::Snapshot> snapshot = half.snapshot();
    snapshot->backends.for_each([&](config::Slot, const auto& entry) { backend = entry.get(); });
    std::vector<int> result{backend->rank};
    for (const config::Tier& tier : backend->further) result.push_back(tier.rank);
    return result;
  };
  EXPECT_THAT(ranks(), ElementsAre(0, 1));
  add("a", "there");
  EXPECT_THAT(ranks(), ElementsAre(1));
  apply("operations { upsert { backend { name: \"web\" } } }");
  EXPECT_THAT(ranks(), ElementsAre(0));
}

}  // namespace
}  // namespace fairlead::store
