#include "gmock/gmock.h"
#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using TransactionTest = StoreFixture;

TEST_F(TransactionTest, EachTransactionThatChangesSomethingIsOneVersion) {
  EXPECT_EQ(must(kWeb).version, 1);
  Result result = must(kWebS1);
  EXPECT_EQ(result.version, 2);
  EXPECT_EQ(result.outcome, Outcome::kApplied);
  EXPECT_EQ(half_.snapshot()->version, 2);
}

TEST_F(TransactionTest, ReplayingIdenticalContentChangesNothing) {
  must(kWeb);
  must(kWebS1);
  config::Uid uid = server("web", "s1")->record->metadata.uid;
  int publications = half_.publications();
  for (const char* mode : {"create", "upsert", "replace"}) {
    Result result = must(std::string("operations { ") + mode +
                         R"( { server { backend: "web" name: "s1" address: "10.0.0.1:80" } } })");
    EXPECT_EQ(result.outcome, Outcome::kUnchanged) << mode;
    EXPECT_EQ(result.version, 2) << mode;
  }
  EXPECT_EQ(server("web", "s1")->record->metadata.uid, uid);
  EXPECT_EQ(half_.publications(), publications);
}

TEST_F(TransactionTest, AnUpdateKeepsIdentityAndCreateTime) {
  must(kWeb);
  must(kWebS1);
  config::Metadata before = server("web", "s1")->record->metadata;
  must(R"(operations { upsert { server { backend: "web" name: "s1" address: "10.0.0.1:80" weight: 7 } } })");
  config::Metadata after = server("web", "s1")->record->metadata;
  EXPECT_EQ(after.uid, before.uid);
  EXPECT_EQ(after.create_time, before.create_time);
  EXPECT_EQ(after.version, 3);
}

TEST_F(TransactionTest, OneFailureRefusesAllAndNamesItsIndex) {
  must(kWeb);
  Result result = apply(R"(
    operations { upsert { server { backend: "web" name: "a" address: "10.0.0.1:80" } } }
    operations { upsert { listener { name: "l" bind: "127.0.0.1:0" protocol: PROTOCOL_HTTP default_backend: "web" } } }
    operations { upsert { server { backend: "nowhere" name: "b" address: "10.0.0.2:80" } } })");
  EXPECT_EQ(result.outcome, Outcome::kRefused);
  EXPECT_EQ(result.version, 1);
  ASSERT_EQ(result.failures.size(), 1);
  EXPECT_EQ(result.failures[0].index, 2);
  EXPECT_EQ(result.failures[0].failure.reason, v1::REASON_NOT_FOUND);
  EXPECT_FALSE(server("web", "a"));
  EXPECT_THAT(half_.open_addresses(), IsEmpty());
  EXPECT_EQ(half_.snapshot()->version, 1);
}

TEST_F(TransactionTest, EachAppliesWhatHoldsAndNamesTheOthersInOrder) {
  must(kWeb);
  Result result = apply(R"(atomicity: ATOMICITY_EACH
    operations { upsert { server { backend: "web" name: "bad name" address: "10.0.0.1:80" } } }
    operations { upsert { server { backend: "web" name: "a" address: "10.0.0.1:80" } } }
    operations { upsert { server { backend: "nowhere" name: "b" address: "10.0.0.2:80" } } }
    operations { upsert { server { backend: "web" name: "c" address: "10.0.0.1" } } })");
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(result.version, 2);
  ASSERT_EQ(result.failures.size(), 3);
  EXPECT_EQ(result.failures[0].index, 0);
  EXPECT_EQ(result.failures[1].index, 2);
  EXPECT_EQ(result.failures[2].index, 3);
  EXPECT_TRUE(server("web", "a"));
}

TEST_F(TransactionTest, AShorthandServerThatFailsTakesItsBackendWithIt) {
  Result result = apply(R"(atomicity: ATOMICITY_EACH
    operations { upsert { backend { name: "web" servers { name: "a" address: "10.0.0.1:80" }
                                    servers { name: "b" address: "10.0.0.1:80" weight: 257 } } } }
    operations { upsert { backend { name: "api" servers { name: "a" address: "10.0.0.1:80" } } } })");
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(reason_of(result), "server web/b: servers[1].weight: 257 is out of range [0, 256]");
  EXPECT_FALSE(read([](Reader& reader) { return reader.find_backend("web"); }));
  EXPECT_TRUE(server("api", "a"));
}

TEST_F(TransactionTest, AnEmptyOneSucceedsWithoutANewVersion) {
  Result result = apply("id: 5");
  EXPECT_EQ(result.outcome, Outcome::kUnchanged);
  EXPECT_EQ(result.version, 0);
}

TEST_F(TransactionTest, ValidateOnlyAnswersAsIfAppliedAndAppliesNothing) {
  must(kWeb);
  Result good = apply(std::string("validate_only: true ") + kWebS1);
  EXPECT_EQ(good.outcome, Outcome::kUnchanged);
  EXPECT_FALSE(server("web", "s1"));
  Result bad = apply(R"(validate_only: true operations { replace { backend { name: "api" } } })");
  EXPECT_EQ(bad.outcome, Outcome::kRefused);
  must(R"(validate_only: true
    operations { upsert { listener { name: "l" bind: "127.0.0.1:0" protocol: PROTOCOL_HTTP } } })");
  EXPECT_THAT(half_.open_addresses(), IsEmpty());
}

TEST_F(TransactionTest, ExpectedVersionsOfThePastAndOfTheFutureAreRefused) {
  must(kWeb);
  Result stale = apply(R"(expected_version: 0 operations { create { backend { name: "api" } } })");
  EXPECT_EQ(stale.failures.at(0).failure.reason, v1::REASON_VERSION_MISMATCH);
  EXPECT_THAT(reason_of(stale), HasSubstr("has version 1"));
  Result future = apply(R"(expected_version: 9 operations { create { backend { name: "api" } } })");
  EXPECT_EQ(future.failures.at(0).failure.reason, v1::REASON_FUTURE_VERSION);
  must(R"(expected_version: 1 operations { create { backend { name: "api" } } })");
}

TEST_F(TransactionTest, OfTwoWritersWithTheSameExpectedVersionOneWins) {
  auto a = post(R"(expected_version: 0 operations { create { backend { name: "a" } } })");
  auto b = post(R"(expected_version: 0 operations { create { backend { name: "b" } } })");
  EXPECT_FALSE(a.get().refused());
  EXPECT_TRUE(b.get().refused());
}

TEST_F(TransactionTest, ActiveMeansVisibleToAllWorkersAcceptedDoesNotWait) {
  half_.hold_visible();
  auto active = post(kWeb);
  auto accepted = post(kWebS1, {.level = AcknowledgementLevel::kAccepted});
  EXPECT_EQ(accepted.get().outcome, Outcome::kApplied);
  EXPECT_EQ(active.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  half_.release_visible();
  EXPECT_EQ(active.get().outcome, Outcome::kApplied);
}

TEST_F(TransactionTest, ReplayingWhatIsNotVisibleYetWaitsForIt) {
  half_.hold_visible();
  auto first = post(kWeb);
  auto again = post(kWeb);
  // By now both were applied.
  read([](Reader& reader) { return reader.version(); });
  EXPECT_EQ(again.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  half_.release_visible();
  EXPECT_EQ(again.get().outcome, Outcome::kUnchanged);
}

TEST_F(TransactionTest, StoppingAnswersEverybody) {
  half_.hold_visible();
  auto unconfirmed = post(kWeb);
  store_.stop(absl::Milliseconds(10));
  EXPECT_EQ(unconfirmed.get().failures.at(0).failure.reason, v1::REASON_SHUTTING_DOWN);
  EXPECT_EQ(apply(kWeb).failures.at(0).failure.reason, v1::REASON_SHUTTING_DOWN);
  EXPECT_EQ(store_.read([](Reader&) {}), Store::Posted::kShuttingDown);
}

TEST_F(TransactionTest, APatchChangesWhatItsMaskNamesAndUnsetsWhatIsUnset) {
  must(kWeb);
  must(R"(operations { create { server {
    backend: "web" name: "s1" address: "10.0.0.1:80" weight: 5 labels { key: "zone" value: "a" } } } })");
  must(R"(operations { patch { update_mask { paths: "weight" }
    resource { server { backend: "web" name: "s1" address: "9.9.9.9:9" } } } })");
  ServerView view = *server("web", "s1");
  EXPECT_FALSE(view.record->weight);
  EXPECT_EQ(view.record->address.to_string(), "10.0.0.1:80");
  EXPECT_THAT(view.record->labels, ElementsAre(std::pair("zone", "a")));
}

TEST_F(TransactionTest, APatchReachesIntoMessages) {
  must(R"(operations { create { backend { name: "web" timeouts { connect { seconds: 1 } idle { seconds: 2 } } } } })");
  must(R"(operations { patch { update_mask { paths: "timeouts.idle" paths: "timeouts.idle" }
    resource { backend { name: "web" timeouts { idle { seconds: 9 } } } } } })");
  auto record = read([](Reader& reader) { return reader.find_backend("web")->record; });
  EXPECT_EQ(record->connect_timeout(), std::chrono::seconds(1));
  EXPECT_EQ(record->idle_timeout(), std::chrono::seconds(9));
}

TEST_F(TransactionTest, ABurstIsPublishedTogether) {
  must(kWeb);
  int before = half_.publications();
  std::promise<void> go;
  std::shared_future<void> may_go = go.get_future().share();
  // While the store is held up, transactions pile up.
  store_.read([may_go](Reader&) { may_go.wait(); });
  std::vector<std::future<Result>> results;
  for (int i = 0; i < 100; ++i) {
    results.push_back(post(absl::StrCat("operations { upsert { server { backend: \"web\" name: \"s", i,
                                        "\" address: \"10.0.0.1:80\" } } }")));
  }
  go.set_value();
  for (auto& result : results) EXPECT_EQ(result.get().outcome, Outcome::kApplied);
  EXPECT_EQ(eligible("web"), 100);
  EXPECT_LE(half_.publications() - before, 2);
}

TEST_F(TransactionTest, TheSnapshotSaysSinceWhenInFlightIsCounted) {
  must(kWeb);
  must(kWebS1);
  auto patch = [this](const std::string& mask, const std::string& fields) {
    must("operations { patch { update_mask { paths: \"" + mask + "\" } resource { " + fields + " } } }");
    return half_.snapshot()->revision;
  };
  auto limit = [&](const std::string& value) {
    return patch("max_connections", "server { backend: \"web\" name: \"s1\" " + value + " }");
  };
  EXPECT_EQ(half_.snapshot()->counting_since, 0u);
  config::Revision first = limit("max_connections: 5");
  EXPECT_EQ(half_.snapshot()->counting_since, first);
  limit("max_connections: 7");
  patch("balance.algorithm", "backend { name: \"web\" balance { algorithm: ALGORITHM_LEAST_CONNECTIONS } }");
  limit("max_connections: 0");
  EXPECT_EQ(half_.snapshot()->counting_since, first) << "it has been counted all the time";
  patch("balance.algorithm", "backend { name: \"web\" }");
  EXPECT_EQ(half_.snapshot()->counting_since, first);
  config::Revision second =
      patch("server_defaults.max_connections", "backend { name: \"web\" server_defaults { max_connections: 3 } }");
  EXPECT_EQ(half_.snapshot()->counting_since, second);
  limit("max_connections: 1");
  patch("server_defaults.max_connections", "backend { name: \"web\" }");
  EXPECT_EQ(half_.snapshot()->counting_since, second);
}

TEST_F(TransactionTest, TheSameNameAddedAndRemovedTenThousandTimesLeavesNothing) {
  must(kWeb);
  std::vector<std::future<Result>> results;
  for (int i = 0; i < 10'000; ++i) {
    results.push_back(post(kWebS1));
    results.push_back(post(R"(operations { delete { server { backend: "web" name: "s1" } } })"));
  }
  for (auto& result : results) EXPECT_EQ(result.get().outcome, Outcome::kApplied);
  EXPECT_EQ(read([](Reader& reader) { return reader.counts().servers; }), 0);
  must(kWebS1);
  EXPECT_LT(server("web", "s1")->record->slot, 20'000);
  EXPECT_EQ(eligible("web"), 1);
}

TEST_F(TransactionTest, AFailureInsideABackendTouchedNothing) {
  must(kWeb);
  Result result = apply(
      "operations { replace { backend { name: \"web\" drain { timeout { seconds: 1 } } "
      "servers { name: \"nobody\" address: \"10.0.0.1:80\" } } } } atomicity: ATOMICITY_EACH");
  EXPECT_EQ(reason_of(result), "server web/nobody: does not exist");
  EXPECT_FALSE(result.touched.backend);
  EXPECT_FALSE(result.touched.server);
}

TEST_F(TransactionTest, ABackendWithServersInsideIsWhatTheOperationTouched) {
  constexpr const char* kBackend =
      "{ backend { name: \"app\" servers { name: \"a\" address: \"10.0.0.1:80\" } "
      "servers { name: \"b\" address: \"10.0.0.2:80\" } } } }";
  for (const char* verb : {"create", "replace"}) {
    Result result = must(absl::StrCat("operations { ", verb, kBackend));
    ASSERT_TRUE(result.touched.backend) << verb;
    EXPECT_FALSE(result.touched.server) << verb;
    EXPECT_EQ(result.touched.backend->record->name, "app");
    EXPECT_EQ(result.touched.backend->servers, 2);
    EXPECT_EQ(result.touched.backend->eligible, 2);
  }
}

}  // namespace
}  // namespace fairlead::store
