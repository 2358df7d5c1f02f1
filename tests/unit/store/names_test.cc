// Servers that have names, in the store: whom the workers may pick, and where, by what is known of names.
#include <gmock/gmock.h>

#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kBackend = R"(operations { upsert { backend { name: "web" } } })";
constexpr const char* kChecked = R"(operations { upsert { backend { name: "web" health_check { tcp {} } } } })";

std::string add(const std::string& name, const std::string& address = "app.internal:80",
                const std::string& fields = "") {
  return "operations { upsert { server { backend: \"web\" name: \"" + name + "\" address: \"" + address + "\" " +
         fields + " } } }";
}

class NamesTest : public StoreFixture {
 protected:
  config::Uid uid(const std::string& name) { return server("web", name)->record->metadata.uid; }
  // "READY 10.0.0.1:80", "PENDING -: no such name".
  std::string state(const std::string& name) {
    ServerView view = *server("web", name);
    std::string text = v1::Lifecycle_Name(view.lifecycle).substr(10);
    if (!view.resolution) return text;
    const auto& address = view.resolution->address;
    return text + " " + (address ? address->to_string() : "-") + ": " + view.resolution->reason;
  }
  // Where the workers send what is for it; empty where nothing is.
  std::string picked(const std::string& name) {
    ServerView view = *server("web", name);
    base::Ref<const config::Snapshot> snapshot = half_.snapshot();
    const auto* record = snapshot->find(view.handle)->eligible.find(view.record->slot);
    return record ? (*record)->address.to_string() : "";
  }
  std::vector<std::string> steps(EventQueue& queue) {
    read([](Reader& reader) { return reader.version(); });
    std::vector<std::string> result;
    while (true) {
      EventQueue::Taken taken = queue.take();
      if (!taken.event) return result;
      const auto* step = std::get_if<ServerStep>(&taken.event->what);
      if (!step) continue;
      std::string text = step->name + " " + v1::Lifecycle_Name(step->lifecycle).substr(10);
      if (!step->resolution.empty()) text += " " + step->resolved_address + " " + step->resolution;
      if (taken.event->origin) text += " by " + taken.event->origin->actor;
      result.push_back(text);
    }
  }
  std::shared_ptr<EventQueue> watch() {
    auto queue = std::make_shared<EventQueue>(std::nullopt, [] {});
    read([&](Reader& reader) { return reader.subscribe(queue), 0; });
    return queue;
  }
};

TEST_F(NamesTest, AServerIsPendingUntilItHasAnAddress) {
  must(kBackend);
  must(add("s1"));
  EXPECT_THAT(half_.names(), ElementsAre("app.internal"));
  EXPECT_EQ(state("s1"), "PENDING");
  EXPECT_EQ(picked("s1"), "");
  auto queue = watch();
  half_.answer("app.internal", {}, "no such name");
  EXPECT_EQ(state("s1"), "PENDING -: no such name");
  half_.answer("app.internal", {"10.0.0.1"}, "1 address");
  EXPECT_EQ(state("s1"), "READY 10.0.0.1:80: 1 address");
  EXPECT_EQ(picked("s1"), "10.0.0.1:80");
  half_.answer("app.internal", {"10.0.0.1"}, "silence; kept");
  EXPECT_EQ(state("s1"), "READY 10.0.0.1:80: silence; kept");
  half_.answer("app.internal", {"10.0.0.2"}, "1 address");
  EXPECT_EQ(picked("s1"), "10.0.0.2:80");
  half_.answer("app.internal", {}, "no such name");
  EXPECT_EQ(state("s1"), "PENDING -: no such name");
  EXPECT_EQ(picked("s1"), "");
  EXPECT_THAT(steps(*queue), ElementsAre("s1 PENDING  no such name", "s1 READY 10.0.0.1:80 1 address by test",
                                         "s1 READY 10.0.0.2:80 1 address", "s1 PENDING  no such name"));
}

TEST_F(NamesTest, OneThatComesLaterHasAnAddressAtOnce) {
  must(kBackend);
  must(add("s1"));
  half_.answer("app.internal", {"10.0.0.1", "10.0.0.2"});
  ASSERT_NE(picked("s1"), "");
  Result added = must(add("s2", "APP.internal.:81"));
  EXPECT_EQ(added.touched.server->lifecycle, v1::LIFECYCLE_READY);
  EXPECT_THAT(picked("s2"), testing::EndsWith(":81"));
  EXPECT_NE(picked("s2").substr(0, 8), picked("s1").substr(0, 8)) << "one of its own";
  EXPECT_THAT(half_.names(), ElementsAre("app.internal"));
}

TEST_F(NamesTest, NamesAreResolvedAsLongAsSomebodyHasThem) {
  must(kBackend);
  must(add("s1") + add("s2") + add("s3", "other.internal:80") + add("s4", "10.0.0.9:80"));
  EXPECT_THAT(half_.names(), ElementsAre("app.internal", "other.internal"));
  must(R"(operations { delete { server { backend: "web" name: "s1" } } })");
  must(add("s3", "app.internal:80"));
  EXPECT_THAT(half_.names(), ElementsAre("app.internal"));
  must(add("s2", "10.0.0.8:80"));
  must(add("s3", "10.0.0.7:80"));
  EXPECT_THAT(half_.names(), IsEmpty());
  EXPECT_EQ(picked("s2"), "10.0.0.8:80");
  must(add("s4"));
  EXPECT_THAT(half_.names(), ElementsAre("app.internal"));
  EXPECT_EQ(picked("s4"), "") << "an address of its own is gone";
  half_.answer("app.internal", {"10.0.0.1"});
  EXPECT_EQ(picked("s4"), "10.0.0.1:80");
  must(R"(operations { delete { backend: "web" } })");
  EXPECT_THAT(half_.names(), IsEmpty());
}

TEST_F(NamesTest, AChangeInPlaceKeepsTheAddress) {
  must(kBackend);
  must(add("s1"));
  half_.answer("app.internal", {"10.0.0.1"});
  must(add("s1", "app.internal:80", "weight: 7"));
  EXPECT_EQ(picked("s1"), "10.0.0.1:80");
  must(add("s1", "app.internal:81"));
  EXPECT_EQ(picked("s1"), "10.0.0.1:81") << "known already";
  // What is taken back.
  Result refused = apply(add("s1", "other.internal:80") + "operations { create { backend { } } }");
  EXPECT_TRUE(refused.refused());
  EXPECT_EQ(picked("s1"), "10.0.0.1:81");
  EXPECT_THAT(half_.names(), ElementsAre("app.internal"));
  must(add("s1", "app.internal:81", "admin_state: ADMIN_STATE_MAINTENANCE"));
  EXPECT_EQ(picked("s1"), "");
  must(add("s1", "app.internal:81"));
  EXPECT_EQ(picked("s1"), "10.0.0.1:81");
}

TEST_F(NamesTest, WhatIsKnownIsNoConfiguration) {
  must(kBackend);
  must(add("s1"));
  auto digest = read([](Reader& reader) { return reader.digest(); });
  auto version = read([](Reader& reader) { return reader.version(); });
  half_.answer("app.internal", {"10.0.0.1"});
  EXPECT_EQ(picked("s1"), "10.0.0.1:80");
  EXPECT_EQ(read([](Reader& reader) { return reader.digest(); }), digest);
  EXPECT_EQ(read([](Reader& reader) { return reader.version(); }), version);
  EXPECT_EQ(must(add("s1")).outcome, Outcome::kUnchanged);
  EXPECT_EQ(server("web", "s1")->record->address.to_string(), "app.internal:80");
}

TEST_F(NamesTest, AnotherAddressIsCheckedAnew) {
  must(kChecked);
  must(add("s1"));
  EXPECT_THAT(half_.checked(), IsEmpty()) << "there is nothing to connect to";
  auto queue = watch();
  half_.answer("app.internal", {"10.0.0.1"}, "told");
  read([](Reader& reader) { return reader.version(); });
  EXPECT_EQ(half_.order_of(uid("s1")).server->address.to_string(), "10.0.0.1:80");
  EXPECT_EQ(state("s1"), "PENDING 10.0.0.1:80: told");
  half_.find(uid("s1"), true, "connected");
  EXPECT_EQ(picked("s1"), "10.0.0.1:80");
  CheckOrder former = half_.order_of(uid("s1"));
  half_.answer("app.internal", {"10.0.0.2"}, "told");
  EXPECT_EQ(state("s1"), "PENDING 10.0.0.2:80: told");
  EXPECT_EQ(picked("s1"), "") << "nobody knows the new one";
  half_.find(former, true, "late");
  EXPECT_EQ(picked("s1"), "");
  half_.find(uid("s1"), true, "connected");
  EXPECT_EQ(picked("s1"), "10.0.0.2:80");
  half_.answer("app.internal", {}, "gone");
  EXPECT_EQ(state("s1"), "PENDING -: gone");
  EXPECT_THAT(half_.checked(), IsEmpty());
  EXPECT_THAT(steps(*queue), testing::Contains("s1 READY by test")) << "who added it hears when it is ready";
}

// Where there is no check whose state it could begin with anew.
TEST_F(NamesTest, WhoFollowsAnotherFollowsItAtAnyAddress) {
  must(kChecked);
  must(add("s1", "10.0.0.9:80"));
  must(R"(operations { upsert { backend { name: "side" } } })");
  must(R"(operations { upsert { server { backend: "side" name: "f1" address: "app.internal:80"
                                         health_check { track: "web/s1" } } } })");
  half_.find(uid("s1"), true, "connected");
  auto picked_of_side = [this] {
    ServerView view = *server("side", "f1");
    base::Ref<const config::Snapshot> snapshot = half_.snapshot();
    const auto* record = snapshot->find(view.handle)->eligible.find(view.record->slot);
    return record ? (*record)->address.to_string() : "";
  };
  EXPECT_EQ(picked_of_side(), "");
  half_.answer("app.internal", {"10.0.0.1"});
  EXPECT_EQ(picked_of_side(), "10.0.0.1:80");
  half_.answer("app.internal", {"10.0.0.2"});
  EXPECT_EQ(picked_of_side(), "10.0.0.2:80");
  half_.find(uid("s1"), false, "connect: refused");
  half_.find(uid("s1"), false, "connect: refused");
  EXPECT_EQ(picked_of_side(), "");
}

TEST_F(NamesTest, ChecksComeAndGo) {
  must(kBackend);
  must(add("s1") + add("s2", "other.internal:80"));
  half_.answer("app.internal", {"10.0.0.1"});
  EXPECT_EQ(picked("s1"), "10.0.0.1:80");
  must(kChecked);
  EXPECT_EQ(picked("s1"), "10.0.0.1:80") << "it was in service";
  EXPECT_THAT(half_.checked(), ElementsAre(uid("s1")));
  half_.find(uid("s1"), false, "connect: refused");
  EXPECT_EQ(picked("s1"), "");
  must(kBackend);
  EXPECT_EQ(picked("s1"), "10.0.0.1:80");
  EXPECT_EQ(picked("s2"), "") << "it has no address, checked or not";
}

TEST_F(NamesTest, FactsThatComeTooLateChangeNothing) {
  must(kBackend);
  must(add("s1"));
  must(R"(operations { delete { server { backend: "web" name: "s1" } } })");
  half_.answer("app.internal", {"10.0.0.1"});
  must(add("s1", "other.internal:80"));
  half_.answer("app.internal", {"10.0.0.2"});
  EXPECT_EQ(state("s1"), "PENDING");
}

}  // namespace
}  // namespace fairlead::store
