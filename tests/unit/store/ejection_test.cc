// Ejections in the store: what the workers may pick, what readers and watchers are told, and when it ends.
#include <gmock/gmock.h>

#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kObserved =
    R"(operations { upsert { backend { name: "web" outlier_detection { consecutive_errors: 5 } } } })";

std::string add(const std::string& name, const std::string& fields = "") {
  return "operations { upsert { server { backend: \"web\" name: \"" + name + "\" address: \"10.0.0.1:80\" " + fields +
         " } } }";
}

class EjectionTest : public StoreFixture {
 protected:
  // Of a server as it is now.
  CheckResult about(const std::string& name) {
    ServerView view = *server("web", name);
    return {.backend = view.handle, .slot = view.record->slot, .server = view.record->metadata.uid, .reason = {}};
  }
  void eject(const CheckResult& of, uint32_t number = 1) {
    half_.eject(of, {.is_ejected = true, .number = number, .time = std::chrono::seconds(30)}, "5 errors in a row");
  }
  void eject(const std::string& name, uint32_t number = 1) { eject(about(name), number); }
  void give_back(const std::string& name) { half_.eject(about(name), {.number = 1}, "its time is over"); }
  // "5 errors in a row 1", or "".
  std::string ejection(const std::string& name) {
    ServerView view = *server("web", name);
    base::Ref<const config::Snapshot> snapshot = half_.snapshot();
    const auto* holder = snapshot->find(view.handle)->eligible.find(view.record->slot);
    bool is_eligible = holder && (*holder)->metadata.uid == view.record->metadata.uid;
    EXPECT_EQ(view.effective_weight > 0, is_eligible);
    if (!view.ejection) return "";
    EXPECT_FALSE(is_eligible);
    EXPECT_EQ(view.ejection->until - view.ejection->time, std::chrono::seconds(30));
    return view.ejection->reason + " " + std::to_string(view.ejection->number);
  }
  BackendView backend() {
    return read([](Reader& reader) { return *reader.find_backend("web"); });
  }
  std::optional<uint64_t> observed() { return half_.observed(backend().record->metadata.uid); }
  void add_four() { must(add("s0") + add("s1") + add("s2") + add("s3")); }
};

TEST_F(EjectionTest, AnEjectedServerTakesNothingUntilItReturns) {
  must(kObserved);
  add_four();
  EXPECT_EQ(observed(), 4u);
  auto queue = std::make_shared<EventQueue>(std::nullopt, [] {});
  auto version = read([&](Reader& reader) { return reader.subscribe(queue), reader.version(); });
  eject("s1", 3);
  EXPECT_EQ(ejection("s1"), "5 errors in a row 3");
  EXPECT_EQ(backend().eligible, 3u);
  EXPECT_EQ(backend().ejected, 1u);
  EXPECT_EQ(server("web", "s1")->lifecycle, v1::LIFECYCLE_READY);
  EXPECT_EQ(observed(), 4u) << "as many as would be without";
  give_back("s1");
  EXPECT_EQ(ejection("s1"), "");
  EXPECT_EQ(backend().eligible, 4u);
  give_back("s1");
  EXPECT_EQ(read([](Reader& reader) { return reader.version(); }), version) << "it is no configuration";
  std::vector<std::string> steps;
  for (auto taken = queue->take(); taken.event; taken = queue->take()) {
    const auto& step = std::get<ServerStep>(taken.event->what);
    ASSERT_TRUE(step.ejection);
    steps.push_back(step.name + (step.is_ejected ? " ejected: " : " back: ") + step.ejection->reason);
  }
  EXPECT_THAT(steps, ElementsAre("s1 ejected: 5 errors in a row", "s1 back: its time is over"));
}

TEST_F(EjectionTest, NoMoreThanTheShareWhoeverSaysSo) {
  must(kObserved);
  add_four();
  eject("s0");
  eject("s1");
  eject("s2");
  EXPECT_EQ(backend().ejected, 2u);
  EXPECT_EQ(ejection("s2"), "");
  // Who takes nothing anyway does not count.
  must(add("s3", "admin_state: ADMIN_STATE_DRAIN"));
  EXPECT_EQ(observed(), 3u);
  must(add("s2", "weight: 0"));
  EXPECT_EQ(observed(), 2u);
  must(
      R"(operations { upsert { backend { name: "web" server_defaults { weight: 0 } outlier_detection { consecutive_errors: 5 } } } })");
  EXPECT_EQ(observed(), 0u);
  EXPECT_EQ(backend().ejected, 0u) << "that would take requests otherwise";
  EXPECT_EQ(ejection("s0"), "5 errors in a row 1");
}

TEST_F(EjectionTest, NewServersThatWereNeverUpAllowNoMoreEjections) {
  must(
      R"(operations { upsert { backend { name: "web" health_check { tcp {} initial_state: INITIAL_STATE_UP } outlier_detection { consecutive_errors: 5 } } } })");
  add_four();
  must(
      R"(operations { upsert { backend { name: "web" health_check { tcp {} } outlier_detection { consecutive_errors: 5 } } } })");
  const std::optional<uint64_t> before = observed();
  for (int i = 0; i < 20; ++i) must(add("new" + std::to_string(i)));
  EXPECT_EQ(observed(), before);
  for (const char* name : {"s0", "s1", "s2", "s3"}) eject(name);
  EXPECT_EQ(backend().ejected, 2u);
}

TEST_F(EjectionTest, ChangesInPlaceLeaveIt) {
  must(kObserved);
  add_four();
  eject("s1");
  must(add("s1", "weight: 7 labels { key: \"a\" value: \"b\" }"));
  EXPECT_EQ(ejection("s1"), "5 errors in a row 1");
  must(
      R"(operations { upsert { backend { name: "web" balance { algorithm: ALGORITHM_FIRST } outlier_detection { interval { seconds: 1 } } } } })");
  EXPECT_EQ(ejection("s1"), "5 errors in a row 1");
  must(
      R"(operations { upsert { backend { name: "web" health_check { tcp {} } outlier_detection { consecutive_errors: 5 } } } })");
  EXPECT_EQ(ejection("s1"), "5 errors in a row 1");
  half_.find(server("web", "s1")->record->metadata.uid, false, "connect: refused");
  EXPECT_EQ(backend().ejected, 0u);
  half_.find(server("web", "s1")->record->metadata.uid, true, "connected");
  EXPECT_EQ(ejection("s1"), "5 errors in a row 1");
  must(add("s1", "admin_state: ADMIN_STATE_MAINTENANCE"));
  must(add("s1", "health_check { disabled: true }"));
  EXPECT_EQ(ejection("s1"), "5 errors in a row 1");
  EXPECT_THAT(half_.forgotten(), IsEmpty());
  must(R"(operations { upsert { server { backend: "web" name: "s1" address: "10.0.0.9:80" } } })");
  EXPECT_EQ(server("web", "s1")->ejection, nullptr) << "that is another one";
  EXPECT_THAT(half_.forgotten(), ElementsAre(server("web", "s1")->record->metadata.uid));
}

TEST_F(EjectionTest, NothingIsLeftOfItWithoutTheSettings) {
  must(kObserved);
  add_four();
  eject("s1");
  CheckResult late = about("s2");
  must(R"(operations { upsert { backend { name: "web" } } })");
  EXPECT_EQ(ejection("s1"), "");
  EXPECT_EQ(backend().eligible, 4u);
  EXPECT_EQ(observed(), std::nullopt);
  eject(late);
  EXPECT_EQ(ejection("s2"), "");
  must(kObserved);
  EXPECT_EQ(ejection("s1"), "");
  EXPECT_EQ(observed(), 4u);
}

TEST_F(EjectionTest, ADeletedServerAndItsSlotHaveNothingToDoWithIt) {
  must(kObserved);
  add_four();
  eject("s1");
  CheckResult former = about("s1");
  must(R"(operations { delete { server { backend: "web" name: "s1" } } })");
  EXPECT_EQ(backend().ejected, 0u);
  EXPECT_THAT(half_.forgotten(), testing::Contains(former.server));
  must(add("s1"));
  EXPECT_EQ(ejection("s1"), "");
  eject(former);
  EXPECT_EQ(ejection("s1"), "");
  EXPECT_EQ(observed(), 4u);
  config::Uid uid = backend().record->metadata.uid;
  must(R"(operations { delete { backend: "web" } })");
  EXPECT_EQ(half_.observed(uid), std::nullopt);
  eject(former);
}

TEST_F(EjectionTest, WhatIsRefusedLeavesItAsItWas) {
  must(kObserved);
  add_four();
  eject("s1");
  const std::string bad = R"( operations { create { server { backend: "no" name: "x" address: "10.0.0.1:80" } } })";
  for (const std::string& good :
       {std::string(R"(operations { upsert { backend { name: "web" } } })"),
        std::string(R"(operations { delete { server { backend: "web" name: "s1" } } })"),
        std::string(R"(operations { upsert { server { backend: "web" name: "s1" address: "10.0.0.9:80" } } })"),
        std::string(R"(operations { delete { backend: "web" } })"), add("s1", "admin_state: ADMIN_STATE_MAINTENANCE"),
        std::string(R"(operations { upsert { backend { name: "web" } } })") + kObserved}) {
    EXPECT_TRUE(apply(good + bad).refused());
    EXPECT_EQ(ejection("s1"), "5 errors in a row 1") << good;
    EXPECT_EQ(backend().eligible, 3u) << good;
    EXPECT_EQ(observed(), 4u) << good;
  }
  give_back("s1");
  EXPECT_EQ(backend().eligible, 4u);
}

}  // namespace
}  // namespace fairlead::store
