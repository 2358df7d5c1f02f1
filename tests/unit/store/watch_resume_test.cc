#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;

class WatchResumeTest : public StoreFixture {
 protected:
  static std::shared_ptr<EventQueue> make_queue() {
    return std::make_shared<EventQueue>(std::nullopt, [] {});
  }
  bool resume(const std::shared_ptr<EventQueue>& queue, const WatchPosition& position) {
    return read([&](Reader& reader) { return reader.resume(queue, position); });
  }
  // "1 web", "2 step s1 REMOVED".
  std::vector<std::string> take_all(EventQueue& queue) {
    settle();
    std::vector<std::string> seen;
    while (const Event* event = keep(queue.take())) {
      if (const auto* step = std::get_if<ServerStep>(&event->what)) {
        seen.push_back(absl::StrCat(event->version, " ", step->name, " ",
                                    v1::Lifecycle_Name(step->lifecycle).substr(strlen("LIFECYCLE_"))));
      } else if (const auto* server = std::get_if<ServerChange>(&event->what)) {
        seen.push_back(absl::StrCat(event->version, " ", server->server.record->name));
      } else {
        seen.push_back(absl::StrCat(event->version, " backend"));
      }
    }
    return seen;
  }
  static const Event* keep(EventQueue::Taken taken) {
    static EventQueue::Taken kept;
    kept = std::move(taken);
    return kept.event;
  }
  // A transaction is answered before its events are told.
  void settle() {
    read([](Reader&) { return 0; });
  }
  void delete_s1() { must(R"(operations { delete { server { backend: "web" name: "s1" } } })"); }
};

TEST_F(WatchResumeTest, EveryEventAfterAVersionAndNoneOfThoseBefore) {
  must(kWeb);
  must(kWebS1);
  delete_s1();
  auto queue = make_queue();
  ASSERT_TRUE(resume(queue, {.version = 1}));
  EXPECT_THAT(take_all(*queue), ElementsAre("2 s1", "3 s1", "3 s1 DRAINING", "3 s1 REMOVED"));
  must(R"(operations { create { backend { name: "app" } } })");
  EXPECT_THAT(take_all(*queue), ElementsAre("4 backend")) << "and it goes on";
}

TEST_F(WatchResumeTest, StepsThatShareTheVersionAreNotLost) {
  half_.hold_drains();
  must(kWeb);
  must(kWebS1);
  auto first = make_queue();
  read([&](Reader& reader) {
    reader.subscribe(first);
    return 0;
  });
  delete_s1();
  settle();
  std::vector<uint64_t> numbers;
  while (const Event* event = keep(first->take())) numbers.push_back(event->number);
  ASSERT_EQ(numbers.size(), 2);
  half_.finish_drains();
  auto by_version = make_queue();
  ASSERT_TRUE(resume(by_version, {.version = 3}));
  EXPECT_THAT(take_all(*by_version), ElementsAre("3 s1 DRAINING", "3 s1 REMOVED"));
  auto by_number = make_queue();
  ASSERT_TRUE(resume(by_number, {.version = 3, .number = numbers.back()}));
  EXPECT_THAT(take_all(*by_number), ElementsAre("3 s1 REMOVED")) << "exactly";
}

TEST_F(WatchResumeTest, WhatIsNotVisibleYetComesOnce) {
  must(kWeb);
  half_.hold_visible();
  auto added = post(kWebS1);
  auto queue = make_queue();
  ASSERT_TRUE(resume(queue, {.version = 1}));
  EXPECT_THAT(take_all(*queue), testing::IsEmpty());
  half_.release_visible();
  added.get();
  must(R"(operations { create { backend { name: "app" } } })");
  EXPECT_THAT(take_all(*queue), ElementsAre("2 s1", "3 backend"));
}

// The version outlives the process; numbers do not.
TEST_F(WatchResumeTest, ANumberOfAnotherLifeSaysNothing) {
  must(kWeb);
  must(kWebS1);
  auto queue = make_queue();
  ASSERT_TRUE(resume(queue, {.version = 1, .number = 5}));
  EXPECT_THAT(take_all(*queue), ElementsAre("2 s1"));
}

TEST_F(WatchResumeTest, NeitherTheFutureNorTheForgotten) {
  must(kWeb);
  EXPECT_FALSE(resume(make_queue(), {.version = 2}));
  EXPECT_FALSE(resume(make_queue(), {.version = 1, .number = UINT64_MAX}));
  EXPECT_TRUE(resume(make_queue(), {.version = 0}));
  for (int part = 0; part < 3; ++part) {
    std::string text;
    for (int i = 0; i < 8'000; ++i) {
      absl::StrAppend(&text, "operations { upsert { server { backend: \"web\" name: \"s", part, "-", i,
                      "\" address: \"10.0.0.1:80\" } } }");
    }
    must(text);
  }
  EXPECT_FALSE(resume(make_queue(), {.version = 1}));
  EXPECT_FALSE(resume(make_queue(), {.version = 1, .number = 5}));
  config::Version oldest = read([](Reader& reader) { return reader.oldest_resumable_version(); });
  EXPECT_EQ(oldest, 3);
  auto queue = make_queue();
  EXPECT_TRUE(resume(queue, {.version = oldest}));
  EXPECT_EQ(take_all(*queue).size(), 8'000) << "of the last version";
}

}  // namespace
}  // namespace fairlead::store
