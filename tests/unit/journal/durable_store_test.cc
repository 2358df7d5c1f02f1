// A store over a journal: what it acknowledges is there, what the journal refuses is not, whatever breaks.
#include <future>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "faulty_vfs/faulty_vfs.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "store/store.h"
#include "temporary_folder.h"
#include "test_support/fake_reading_half.h"
#include "test_support/random.h"

namespace fairlead::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kFront =
    R"(operations { upsert { listener { name: "front" bind: "127.0.0.1:8080" protocol: PROTOCOL_HTTP } } })";

std::string add(const std::string& name) {
  return R"(operations { upsert { server { backend: "web" name: ")" + name + R"(" address: "10.0.0.1:80" } } })";
}
std::string remove(const std::string& name) {
  return R"(operations { delete { server { backend: "web" name: ")" + name + R"(" } } })";
}

class DurableStore : public testing::Test {
 protected:
  DurableStore() {
    test_support::install_faulty_vfs();
    open();
    EXPECT_FALSE(apply(R"(operations { upsert { backend { name: "web" } } })").refused());
  }
  ~DurableStore() override {
    store_.reset();
    test_support::set_faults({});
  }

  void open() {
    half_ = std::make_unique<test_support::FakeReadingHalf>();
    auto journal = journal::Journal::open({.directory = folder_.state()});
    ASSERT_TRUE(journal.ok()) << journal.status();
    auto store = Store::open(*half_, {}, *std::move(journal));
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  // The disk as the power cut leaves it.
  void cut_power_and_open() {
    while (store_->journal()->info().condition == journal::Condition::kFailed) std::this_thread::yield();
    std::filesystem::copy(folder_.state(), folder_.path() + "/copy");
    store_.reset();
    std::filesystem::remove_all(folder_.state());
    std::filesystem::rename(folder_.path() + "/copy", folder_.state());
    test_support::cut_power();
    open();
  }

  std::future<Result> post(const std::string& text, ApplyOptions options = {}, uint64_t session = 0) {
    v1::Transaction message;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
    auto promise = std::make_shared<std::promise<Result>>();
    auto origin = std::make_shared<const Origin>("test", "here", session);
    store_->apply(make_transaction(message, store_->limits(), origin), options,
                  [promise](Result result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  Result apply(const std::string& text) { return post(text).get(); }
  v1::Reason reason(const Result& result) {
    return result.failures.empty() ? v1::REASON_UNSPECIFIED : result.failures.front().failure.reason;
  }
  template <typename F>
  auto read(F look) {
    std::promise<decltype(look(std::declval<Reader&>()))> promise;
    EXPECT_EQ(store_->read([&](Reader& reader) { promise.set_value(look(reader)); }), Store::Posted::kYes);
    return promise.get_future().get();
  }
  absl::Status hand_over() {
    std::promise<absl::Status> done;
    store_->hand_over_journal([&](absl::Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  absl::Status take_back(bool changes_count = true) {
    std::promise<absl::Status> done;
    store_->take_back_journal(changes_count, [&](absl::Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  void wait_until_it_writes() {
    while (store_->journal()->info().condition != journal::Condition::kWriting) std::this_thread::yield();
  }
  // By a process that loads what was handed over, and perhaps begins anew with something else; and ends.
  void open_elsewhere(const std::string& digest, bool writes) {
    auto nothing = [] { return absl::OkStatus(); };
    auto each = [](const journal::Row&) { return absl::OkStatus(); };
    {
      auto other = journal::Journal::open({.directory = folder_.state()});
      ASSERT_TRUE(other.ok()) << other.status();
      ASSERT_EQ((*other)->load(each, nothing), absl::OkStatus());
      EXPECT_EQ((*other)->state().digest, digest);
    }
    if (!writes) return;
    auto other = journal::Journal::open({.directory = folder_.state(), .reset = true});
    ASSERT_TRUE(other.ok()) << other.status();
    ASSERT_EQ((*other)->load(each, nothing), absl::OkStatus());
    (*other)->add({.version = 1, .actor = "one that never served"});
    ASSERT_EQ((*other)->commit({.epoch = 7, .version = 1}), journal::Journal::Written::kYes);
  }
  std::string digest() {
    return read([](Reader& reader) { return reader.digest().bytes(); });
  }
  config::Version version() {
    return read([](Reader& reader) { return reader.version(); });
  }

  journal::TemporaryFolder folder_;
  std::unique_ptr<test_support::FakeReadingHalf> half_;
  std::unique_ptr<Store> store_;
};

TEST_F(DurableStore, WhomDnsNamesIsNotOnDisk) {
  EXPECT_FALSE(apply(R"(operations { upsert { backend { name: "web" discovery { srv: "_a._tcp.x" } } } })").refused());
  apply(add("s1"));
  std::string before = digest();
  half_->list("_a._tcp.x", {{0, "a.x", 80, 1}, {0, "b.x", 80, 1}});
  auto servers = [this] {
    return read([](Reader& reader) { return reader.list_servers({"web", {}, {}}, {})->items.size(); });
  };
  EXPECT_EQ(servers(), 3u);
  apply(add("s2"));
  apply(remove("s2"));
  auto uid = [this](const std::string& name) {
    return read([&](Reader& reader) { return reader.find_server("web", name)->record->metadata.uid; });
  };
  config::Uid found = uid("@a.x:80"), added = uid("s1");
  EXPECT_EQ(store_->journal()->state().resources, 2u);
  store_.reset();
  // Nobody answers within the time that a start waits.
  open();
  EXPECT_EQ(servers(), 1u);
  EXPECT_EQ(digest(), before);
  EXPECT_EQ(uid("s1"), added);
  half_->list("_a._tcp.x", {{0, "a.x", 80, 1}});
  EXPECT_EQ(servers(), 2u);
  EXPECT_GT(uid("@a.x:80"), found) << "never used again";
}

TEST_F(DurableStore, WhomDnsNamesAtAStartGoesOnUntilItsFirstCheck) {
  EXPECT_FALSE(
      apply(
          R"(operations { upsert { backend { name: "web" health_check { tcp {} } discovery { srv: "_a._tcp.x" } } } })")
          .refused());
  store_.reset();
  auto half = std::make_unique<test_support::FakeReadingHalf>();
  std::thread nameserver([&half] {
    auto asked = [&](const std::string& name) {
      while (!half->names().contains(name)) std::this_thread::yield();
    };
    asked("SRV _a._tcp.x");
    half->list("_a._tcp.x", {{0, "a.x", 80, 1}});
    asked("a.x");
    half->answer("a.x", {"10.0.0.1"});
  });
  auto store = Store::open(*half, {}, journal::Journal::open({.directory = folder_.state()}).value());
  nameserver.join();
  ASSERT_TRUE(store.ok()) << store.status();
  half_ = std::move(half);
  store_ = *std::move(store);
  auto lifecycle = [this](const std::string& name) {
    return read([&](Reader& reader) { return reader.find_server("web", name)->lifecycle; });
  };
  EXPECT_EQ(lifecycle("@a.x:80"), v1::LIFECYCLE_READY);
  half_->list("_a._tcp.x", {{0, "a.x", 80, 1}, {0, "b.x", 80, 1}});
  half_->answer("b.x", {"10.0.0.1"});
  EXPECT_EQ(lifecycle("@b.x:80"), v1::LIFECYCLE_PENDING) << "later ones wait for it";
}

TEST_F(DurableStore, AFullDiskTakesBackTheWholeBatch) {
  apply(add("s1"));
  std::string before = digest();
  config::Version version_before = version();
  uint64_t epoch = store_->epoch();
  test_support::set_faults({.room = 0});
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  store_->read([opened](Reader&) { opened.wait(); });
  auto unchanged = post(add("s1"));
  auto first = post(add("s2"));
  auto second = post(kFront);
  auto deletion = post(remove("s1"), {.wait_until_removed = true});
  auto after = post(add("s2"));
  gate.set_value();
  EXPECT_EQ(unchanged.get().outcome, Outcome::kUnchanged);
  for (auto* refused : {&first, &second, &deletion, &after}) {
    Result result = refused->get();
    EXPECT_TRUE(result.refused());
    EXPECT_EQ(reason(result), v1::REASON_DISK_FULL);
    EXPECT_EQ(result.version, version_before);
  }
  EXPECT_EQ(digest(), before);
  EXPECT_EQ(version(), version_before);
  EXPECT_EQ(store_->version(), version_before);
  EXPECT_THAT(half_->open_addresses(), IsEmpty());
  EXPECT_THAT(half_->orders(), IsEmpty());
  EXPECT_EQ(store_->journal()->info().condition, journal::Condition::kFull);
  test_support::set_faults({});
  EXPECT_EQ(apply(kFront).version, version_before + 1);
  EXPECT_THAT(half_->open_addresses(), SizeIs(1));
  before = digest();
  cut_power_and_open();
  EXPECT_EQ(digest(), before);
  EXPECT_EQ(store_->epoch(), epoch);
  EXPECT_THAT(half_->accepting(), SizeIs(1));
}

TEST_F(DurableStore, AfterAFailedFlushItTakesNothingUntilANewFileStands) {
  apply(add("s1"));
  std::string before = digest();
  test_support::set_faults({.fail_flush = 1});
  EXPECT_EQ(reason(apply(add("s2"))), v1::REASON_JOURNAL_FAILED);
  EXPECT_EQ(reason(apply(add("s3"))), v1::REASON_JOURNAL_FAILED);
  EXPECT_EQ(digest(), before);
  uint64_t faults = test_support::faults_so_far();
  while (test_support::faults_so_far() == faults) std::this_thread::yield();
  EXPECT_EQ(reason(apply(add("s3"))), v1::REASON_JOURNAL_FAILED);
  test_support::set_faults({});
  wait_until_it_writes();
  EXPECT_FALSE(apply(add("s4")).refused());
  before = digest();
  cut_power_and_open();
  EXPECT_EQ(digest(), before);
  EXPECT_TRUE(read([](Reader& reader) { return reader.find_server("web", "s4").has_value(); }));
}

// What was refused within a resync has been named all the same.
TEST_F(DurableStore, AFailedJournalDoesNotMakeAResyncRemoveWhatItNamed) {
  apply(add("s1") + add("s2"));
  constexpr uint64_t kSession = 7;
  auto origin = std::make_shared<const Origin>("test", "here", kSession);
  std::promise<Result> begun;
  store_->begin_resync({.id = 1, .origin = origin, .backend = ""}, {},
                       [&](Result result) { begun.set_value(std::move(result)); });
  EXPECT_FALSE(begun.get_future().get().refused());
  test_support::set_faults({.fail_flush = 1});
  EXPECT_EQ(reason(apply(add("s3"))), v1::REASON_JOURNAL_FAILED);
  const std::string all = R"(operations { upsert { backend { name: "web" } } })" + add("s1") + add("s2");
  EXPECT_EQ(reason(post(all, {}, kSession).get()), v1::REASON_JOURNAL_FAILED);
  test_support::set_faults({});
  wait_until_it_writes();
  std::promise<Result> ended;
  store_->end_resync({.id = 2, .origin = origin, .max_removal_percent = 100}, {},
                     [&](Result result) { ended.set_value(std::move(result)); });
  EXPECT_EQ(ended.get_future().get().outcome, Outcome::kUnchanged);
  for (const char* name : {"s1", "s2"}) {
    EXPECT_TRUE(read([name](Reader& reader) { return reader.find_server("web", name).has_value(); })) << name;
  }
}

TEST_F(DurableStore, AListenerWithoutAPortOfItsOwnKeepsTheOneItGot) {
  apply(R"(operations { upsert { listener { name: "front" bind: "127.0.0.1:0" protocol: PROTOCOL_HTTP } } })");
  std::vector<std::string> before = half_->open_addresses();
  cut_power_and_open();
  EXPECT_EQ(half_->open_addresses(), before);
}

// Each operation is undone by itself: what was done by the one before it stays, on disk as well.
TEST_F(DurableStore, WhatIsRefusedTakesNothingBackOfTheOperationBeforeIt) {
  const std::string bad =
      R"(operations { upsert { server { backend: "nowhere" name: "s1" address: "10.0.0.1:80" } } } )";
  for (const char* good :
       {R"(upsert { backend { name: "web" labels { key: "a" value: "1" } } })", R"(upsert { backend { name: "new" } })",
        R"(upsert { server { backend: "web" name: "s1" address: "10.0.0.1:80" } })",
        R"(upsert { server { backend: "web" name: "s1" address: "10.0.0.2:80" } })",
        R"(upsert { listener { name: "front" bind: "127.0.0.1:8080" protocol: PROTOCOL_HTTP } })",
        R"(upsert { listener { name: "front" bind: "127.0.0.1:8081" protocol: PROTOCOL_HTTP } })",
        R"(delete { listener: "front" })", R"(delete { server { backend: "web" name: "s1" } })",
        R"(delete { backend: "new" })"}) {
    SCOPED_TRACE(good);
    Result result = apply(absl::StrCat("atomicity: ATOMICITY_EACH ", bad, "operations { ", good, " } ", bad));
    ASSERT_EQ(result.failures.size(), 2u);
    std::string before = digest();
    store_.reset();
    ASSERT_NO_FATAL_FAILURE(open());
    EXPECT_EQ(digest(), before);
  }
}

TEST_F(DurableStore, AHandedOverJournalRefusesUntilItIsTakenBack) {
  EXPECT_EQ(hand_over(), absl::OkStatus());
  EXPECT_EQ(reason(apply(add("s1"))), v1::REASON_SHUTTING_DOWN);
  EXPECT_EQ(take_back(), absl::OkStatus());
  EXPECT_FALSE(apply(add("s1")).refused());
}

// As where the state was empty, and it began with the resources of its file.
TEST_F(DurableStore, WhatAProcessWroteThatNeverServedIsUndone) {
  EXPECT_FALSE(apply(add("s1")).refused());
  const std::string before = digest();
  EXPECT_EQ(hand_over(), absl::OkStatus());
  open_elsewhere(before, /*writes=*/true);
  EXPECT_THAT(take_back(/*changes_count=*/true).message(), HasSubstr("has gone on with it"));
  EXPECT_EQ(reason(apply(add("s2"))), v1::REASON_SHUTTING_DOWN);
  EXPECT_EQ(take_back(/*changes_count=*/false), absl::OkStatus());
  wait_until_it_writes();
  EXPECT_EQ(digest(), before);
  EXPECT_FALSE(apply(add("s2")).refused());
  auto history = journal::HistoryReader::open(store_->journal()->path());
  ASSERT_TRUE(history.ok());
  std::vector<journal::HistoryRow> rows = *history->list(0, 10);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].actor, "test");
  const std::string after = digest();
  store_.reset();
  ASSERT_NO_FATAL_FAILURE(open());
  EXPECT_EQ(digest(), after);
}

// It is being written, so it stays with who writes it; and what was not given need not be free to be taken back.
TEST_F(DurableStore, AFailedJournalIsNotHandedOver) {
  test_support::set_faults({.fail_flush = 1});
  EXPECT_EQ(reason(apply(add("s1"))), v1::REASON_JOURNAL_FAILED);
  EXPECT_THAT(hand_over().message(), HasSubstr("being written anew"));
  EXPECT_EQ(take_back(), absl::OkStatus());
  test_support::set_faults({});
  wait_until_it_writes();
  EXPECT_FALSE(apply(add("s1")).refused());
  EXPECT_EQ(hand_over(), absl::OkStatus());
}

// Random transactions, some in flight together, over disks that lose what was not flushed, are full for a while, or
// fail, and processes that fail to take over; the state is always the one after the last that was acknowledged.
TEST_F(DurableStore, TheStateIsWhatWasAcknowledgedWhateverHappens) {
  uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  test_support::Random random(seed);
  test_support::Faults usual{.power_cut = true};
  store_.reset();
  test_support::set_faults(usual);
  open();
  config::Version acknowledged = version();
  for (int round = 0; round < 60; ++round) {
    test_support::Faults faults = usual;
    if (random.below(4) == 0) faults.room = static_cast<int64_t>(random.below(60'000));
    if (random.below(6) == 0) faults.fail_flush = 1 + random.below(4), faults.once = true;
    if (random.below(6) == 0) faults.fail_write = 1 + random.below(20), faults.once = true;
    test_support::set_faults(faults);
    std::vector<std::future<Result>> results;
    for (uint64_t i = random.below(12); i > 0; --i) {
      std::string text;
      for (uint64_t j = 1 + random.below(5); j > 0; --j) {
        std::string name = "s" + std::to_string(random.below(40));
        text += random.below(3) == 0 ? remove(name) : add(name);
      }
      results.push_back(post(text));
    }
    for (std::future<Result>& future : results) {
      Result result = future.get();
      if (!result.refused()) {
        EXPECT_GE(result.version, acknowledged);
        acknowledged = result.version;
      }
    }
    std::string before = digest();
    EXPECT_EQ(version(), acknowledged);
    test_support::set_faults(usual);
    if (random.below(3) == 0 && hand_over().ok()) {
      EXPECT_EQ(reason(apply(add("s1"))), v1::REASON_SHUTTING_DOWN);
      if (random.below(2) == 0) open_elsewhere(before, /*writes=*/random.below(2) == 0);
      EXPECT_EQ(take_back(/*changes_count=*/false), absl::OkStatus());
      wait_until_it_writes();
    }
    if (random.below(2) == 0) continue;
    cut_power_and_open();
    ASSERT_EQ(digest(), before);
    ASSERT_EQ(version(), acknowledged);
  }
}

}  // namespace
}  // namespace fairlead::store
