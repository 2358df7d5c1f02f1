#include "gmock/gmock.h"
#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;

class DrainTest : public StoreFixture {
 protected:
  void SetUp() override {
    half_.hold_drains();
    must(R"(operations { create { backend { name: "web" drain { timeout { seconds: 7 } jitter { seconds: 3 } } } } })");
    must(kWebS1);
    queue_ = std::make_shared<EventQueue>(std::nullopt, [] {});
    read([&](Reader& reader) { return reader.subscribe(queue_), 0; });
  }

  // Steps in servers' lives since the last call.
  std::vector<std::string> steps() {
    read([](Reader& reader) { return reader.version(); });
    read([](Reader& reader) { return reader.version(); });
    std::vector<std::string> result;
    while (true) {
      EventQueue::Taken taken = queue_->take();
      if (!taken.event) return result;
      const auto* step = std::get_if<ServerStep>(&taken.event->what);
      if (!step) continue;
      std::string name = v1::Lifecycle_Name(step->lifecycle).substr(std::string("LIFECYCLE_").size());
      result.push_back(absl::StrCat(step->name, " ", name, " ", step->cut_off));
    }
  }
  void set_admin_state(const std::string& state) {
    must(
        "operations { patch { update_mask { paths: \"admin_state\" } resource { server { backend: \"web\" name: \"s1\" "
        "admin_state: ADMIN_STATE_" +
        state + " } } } }");
  }
  v1::Lifecycle lifecycle() { return server("web", "s1")->lifecycle; }

  std::shared_ptr<EventQueue> queue_;
};

constexpr const char* kDelete = R"(operations { delete { server { backend: "web" name: "s1" } } })";

TEST_F(DrainTest, WhereNobodySaysADeadlineThereIsOne) {
  must(R"(operations { upsert { backend { name: "web" } } })");
  must(kDelete);
  EXPECT_EQ(half_.orders().at(0).timeout, std::chrono::seconds(30));
  EXPECT_EQ(half_.orders().at(0).jitter, std::chrono::seconds(0));
}

TEST_F(DrainTest, ADeletedServerTakesNothingNewAtOnceAndIsListedUntilItIsDrained) {
  must(kDelete);
  EXPECT_EQ(eligible("web"), 0);
  ServerView view = *server("web", "s1");
  EXPECT_EQ(view.lifecycle, v1::LIFECYCLE_DRAINING);
  EXPECT_EQ(view.effective_weight, 0);
  EXPECT_TRUE(view.drain_deadline);
  ASSERT_EQ(half_.orders().size(), 1);
  EXPECT_EQ(half_.orders()[0].timeout, std::chrono::seconds(7));
  EXPECT_EQ(half_.orders()[0].jitter, std::chrono::seconds(3));
  EXPECT_TRUE(half_.orders()[0].leaves);
  half_.finish_drains(4);
  EXPECT_THAT(steps(), ElementsAre("s1 DRAINING 0", "s1 REMOVED 4"));
  EXPECT_FALSE(server("web", "s1"));
}

TEST_F(DrainTest, ADeletionSaysItsOwnDrain) {
  must(R"(operations { delete { server { backend: "web" name: "s1" } drain { timeout { seconds: 2 } } } })");
  EXPECT_EQ(half_.orders().at(0).timeout, std::chrono::seconds(2));
  // The backend's jitter gives way.
  EXPECT_EQ(half_.orders().at(0).jitter, std::chrono::seconds(2));
}

TEST_F(DrainTest, DeletingAgainWithAnEarlierDeadlineHurriesAndChangesNoVersion) {
  must(kDelete);
  Result again = must(R"(operations { delete { server { backend: "web" name: "s1" } drain { timeout {} } } })");
  EXPECT_EQ(again.outcome, Outcome::kUnchanged);
  EXPECT_TRUE(again.touched.existed);
  EXPECT_EQ(half_.orders().at(1).timeout, config::Duration::zero());
  // A later deadline does not take back an earlier one.
  must(R"(operations { delete { server { backend: "web" name: "s1" } drain { timeout { seconds: 60 } } } })");
  EXPECT_EQ(half_.orders().size(), 2);
  // Both orders answer; the server is removed once.
  half_.finish_drains(1);
  EXPECT_THAT(steps(), ElementsAre("s1 DRAINING 0", "s1 REMOVED 1"));
}

// A worker that had finished before the second order has nothing to tell of it.
TEST_F(DrainTest, TheFirstOfTwoOrdersKnowsAllThatWasCutOff) {
  must(kDelete);
  must(R"(operations { delete { server { backend: "web" name: "s1" } drain { timeout {} } } })");
  half_.finish_drains({5, 2});
  EXPECT_THAT(steps(), ElementsAre("s1 DRAINING 0", "s1 REMOVED 5"));
}

TEST_F(DrainTest, AnOrderBehindOneThatWasAnsweredIsAnsweredItself) {
  set_admin_state("DRAIN");
  half_.finish_drains(1);
  EXPECT_THAT(steps(), ElementsAre("s1 DRAINING 0", "s1 DRAINED 1"));
  must(kDelete);
  half_.finish_drains(2);
  EXPECT_THAT(steps(), ElementsAre("s1 DRAINING 0", "s1 REMOVED 2"));
}

TEST_F(DrainTest, DeletingWhatIsAbsentSucceedsAndChangesNothing) {
  Result result = must(R"(operations { delete { server { backend: "web" name: "nobody" } } })");
  EXPECT_EQ(result.outcome, Outcome::kUnchanged);
  EXPECT_FALSE(result.touched.existed);
}

TEST_F(DrainTest, ANameThatDrainsCanBeAddedAgainAsSomebodyElse) {
  config::Uid old_uid = server("web", "s1")->record->metadata.uid;
  config::Slot old_slot = server("web", "s1")->record->slot;
  must(kDelete);
  must(kWebS1);
  EXPECT_NE(server("web", "s1")->record->metadata.uid, old_uid);
  EXPECT_NE(server("web", "s1")->record->slot, old_slot);
  EXPECT_EQ(lifecycle(), v1::LIFECYCLE_READY);
  auto page =
      read([](Reader& reader) { return *reader.list_servers({.backend = "web", .labels = {}, .lifecycles = {}}, {}); });
  ASSERT_EQ(page.items.size(), 2);
  EXPECT_EQ(page.items[0].record->metadata.uid, old_uid);
  half_.finish_drains();
  EXPECT_EQ(lifecycle(), v1::LIFECYCLE_READY);
}

TEST_F(DrainTest, WaitingForTheRemovalAnswersWithWhatWasCutOff) {
  auto waiting = post(kDelete, {.wait_until_removed = true});
  auto also = post(kDelete, {.wait_until_removed = true});
  read([](Reader& reader) { return reader.version(); });
  EXPECT_EQ(waiting.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  half_.finish_drains(3);
  EXPECT_EQ(waiting.get().cut_off, 3);
  EXPECT_EQ(also.get().cut_off, 3);
}

TEST_F(DrainTest, WaitingForTheRemovalIsForAllThatDepartUnderTheName) {
  must(kDelete);
  must(kWebS1);
  auto waiting = post(kDelete, {.wait_until_removed = true});
  must(kWebS1);
  must(kDelete);
  auto for_three = post(kDelete, {.wait_until_removed = true});
  read([](Reader& reader) { return reader.version(); });
  half_.finish_drain(1, 4);
  half_.finish_drain(0, 2);
  EXPECT_EQ(waiting.get().cut_off, 6);
  read([](Reader& reader) { return reader.version(); });
  EXPECT_EQ(for_three.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  half_.finish_drains(1);
  EXPECT_EQ(for_three.get().cut_off, 7);
}

TEST_F(DrainTest, ABackendCountsItsDrainingServersWhateverBecomesOfThem) {
  auto draining = [&] { return read([](Reader& reader) { return reader.find_backend("web")->draining; }); };
  EXPECT_EQ(draining(), 0);
  set_admin_state("DRAIN");
  EXPECT_EQ(draining(), 1);
  set_admin_state("READY");
  EXPECT_EQ(draining(), 0);
  set_admin_state("DRAIN");
  set_admin_state("MAINTENANCE");
  EXPECT_EQ(draining(), 0);
  set_admin_state("DRAIN");
  EXPECT_EQ(draining(), 1);
  half_.finish_drains();
  EXPECT_EQ(draining(), 0);
  set_admin_state("READY");
  set_admin_state("DRAIN");
  must(kDelete);
  EXPECT_EQ(draining(), 1);
  half_.finish_drains();
  EXPECT_EQ(draining(), 0);
}

TEST_F(DrainTest, AdminStateDrainHasNoDeadlineAndReadyTakesItBack) {
  set_admin_state("DRAIN");
  EXPECT_EQ(eligible("web"), 0);
  EXPECT_FALSE(half_.orders().at(0).timeout);
  EXPECT_FALSE(half_.orders().at(0).leaves);
  EXPECT_EQ(lifecycle(), v1::LIFECYCLE_DRAINING);
  half_.finish_drains();
  EXPECT_THAT(steps(), ElementsAre("s1 DRAINING 0", "s1 DRAINED 0"));
  EXPECT_EQ(lifecycle(), v1::LIFECYCLE_DRAINED);
  set_admin_state("READY");
  EXPECT_EQ(eligible("web"), 1);
  EXPECT_EQ(half_.cancelled().size(), 1);
  EXPECT_THAT(steps(), ElementsAre("s1 READY 0"));
}

TEST_F(DrainTest, ADrainThatWasTakenBackIsNeverReportedAsFinished) {
  set_admin_state("DRAIN");
  set_admin_state("READY");
  half_.finish_drains();
  EXPECT_THAT(steps(), ElementsAre("s1 DRAINING 0", "s1 READY 0"));
  EXPECT_EQ(lifecycle(), v1::LIFECYCLE_READY);
}

TEST_F(DrainTest, MaintenanceClosesAtOnce) {
  set_admin_state("MAINTENANCE");
  EXPECT_EQ(half_.orders().at(0).timeout, config::Duration::zero());
  half_.finish_drains(9);
  EXPECT_THAT(steps(), ElementsAre("s1 MAINTENANCE 9"));
  EXPECT_EQ(lifecycle(), v1::LIFECYCLE_MAINTENANCE);
}

TEST_F(DrainTest, WeightZeroTakesNothingNewAndCutsNothing) {
  must(R"(operations { upsert { server { backend: "web" name: "s1" address: "10.0.0.1:80" weight: 0 } } })");
  EXPECT_EQ(eligible("web"), 0);
  EXPECT_TRUE(half_.orders().empty());
  EXPECT_EQ(lifecycle(), v1::LIFECYCLE_READY);
}

TEST_F(DrainTest, DeletingABackendDrainsItsServersAndFreesItsNameAtOnce) {
  must(R"(operations { delete { backend: "web" } })");
  EXPECT_FALSE(read([](Reader& reader) { return reader.find_backend("web"); }));
  EXPECT_EQ(server("web", "s1")->lifecycle, v1::LIFECYCLE_DRAINING);
  must(kWeb);
  must(kWebS1);
  half_.finish_drains();
  EXPECT_THAT(steps(), ElementsAre("s1 DRAINING 0", "s1 REMOVED 0"));
  EXPECT_EQ(lifecycle(), v1::LIFECYCLE_READY);
  EXPECT_EQ(eligible("web"), 1);
}

}  // namespace
}  // namespace fairlead::store
