#include "store/resync.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kSession = 7;

class ResyncTest : public StoreFixture {
 protected:
  void SetUp() override {
    add("web", {"s1", "s2", "s3", "s4"});
    add("app", {"a1"});
    must(R"(operations { create { listener { name: "l" bind: "127.0.0.1:0" protocol: PROTOCOL_HTTP
                                             default_backend: "web" } } })");
    become_primary(kSession, 1);
  }
  void add(const std::string& backend, const std::vector<std::string>& servers) {
    std::string text = absl::StrCat("operations { create { backend { name: \"", backend, "\" } } }");
    for (const std::string& name : servers) absl::StrAppend(&text, upsert(backend, name));
    must(text);
  }
  static std::string upsert(const std::string& backend, const std::string& name, int weight = 0) {
    return absl::StrCat("operations { upsert { server { backend: \"", backend, "\" name: \"", name,
                        "\" address: \"10.0.0.1:80\" ", weight > 0 ? absl::StrCat("weight: ", weight) : "", " } } }");
  }
  static std::string name_backend(const std::string& name) {
    return absl::StrCat("operations { upsert { backend { name: \"", name, "\" } } }");
  }
  static std::string name_listener() {
    return R"(operations { patch { resource { listener { name: "l" } } update_mask { paths: "labels" } } })";
  }

  void become_primary(uint64_t session, uint64_t id) {
    std::promise<void> opened;
    store_.open_session(session, ElectionId{0, id}, [&](Reader&) { opened.set_value(); });
    opened.get_future().get();
    id_ = {0, id};
  }
  Fence fence() const { return {.kind = Fence::Kind::kSession, .election_id = id_}; }
  static std::shared_ptr<const Origin> origin(uint64_t session) {
    return std::make_shared<const Origin>("test", "here", session);
  }
  Result begin(const std::string& backend = "", uint64_t session = kSession) {
    std::promise<Result> promise;
    store_.begin_resync({.id = 1, .origin = origin(session), .fence = fence(), .backend = backend}, {},
                        [&](Result result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  Result end(uint32_t percent = 100, bool cancel = false) {
    std::promise<Result> promise;
    store_.end_resync(
        {.id = 9, .origin = origin(kSession), .fence = fence(), .max_removal_percent = percent, .cancel = cancel}, {},
        [&](Result result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  // Of the session that resyncs.
  Result say(const std::string& text) {
    Transaction transaction = make_transaction(transaction_of(text), store_.limits(), origin(kSession));
    transaction.fence = fence();
    std::promise<Result> promise;
    store_.apply(std::move(transaction), {}, [&](Result result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  std::vector<std::string> names() {
    return read([](Reader& reader) {
      std::vector<std::string> result;
      Everything all = reader.everything();
      for (const ListenerView& listener : all.listeners) result.push_back("listener " + listener.record->name);
      for (const Everything::Group& group : all.backends) {
        result.push_back(group.backend.record->name);
        group.members.for_each([&](config::Slot, const auto& server) {
          result.push_back(group.backend.record->name + "/" + server->name);
        });
      }
      return result;
    });
  }
  static v1::Reason reason(const Result& result) {
    return result.failures.empty() ? v1::REASON_UNSPECIFIED : result.failures.front().failure.reason;
  }

  ElectionId id_;
};

TEST_F(ResyncTest, WhatIsNotNamedGoesInOneTransaction) {
  EXPECT_EQ(begin().outcome, Outcome::kUnchanged);
  EXPECT_EQ(say(name_listener() + name_backend("web") + upsert("web", "s1") + upsert("web", "s2")).outcome,
            Outcome::kUnchanged);
  config::Version before = store_.version();
  Result result = end();
  EXPECT_EQ(result.outcome, Outcome::kApplied) << reason_of(result);
  EXPECT_EQ(result.id, 9);
  EXPECT_EQ(result.version, before + 1);
  EXPECT_THAT(names(), ElementsAre("listener l", "web", "web/s1", "web/s2"));
  EXPECT_EQ(half_.orders().size(), 3) << "servers that go drain";
}

TEST_F(ResyncTest, AFullReplayTouchesNothing) {
  auto before = read([](Reader& reader) { return reader.last_event_number(); });
  int publications = half_.publications();
  begin();
  say(name_listener() + name_backend("web") + upsert("web", "s1") + upsert("web", "s2") + upsert("web", "s3") +
      upsert("web", "s4") + name_backend("app") + upsert("app", "a1"));
  config::Version version = store_.version();
  EXPECT_EQ(end(1).outcome, Outcome::kUnchanged);
  EXPECT_EQ(store_.version(), version);
  EXPECT_EQ(read([](Reader& reader) { return reader.last_event_number(); }), before);
  EXPECT_EQ(half_.publications(), publications);
}

TEST_F(ResyncTest, EveryWayOfNamingCounts) {
  begin();
  // Malformed, failed, rolled back behind a failure, patched: all named.
  EXPECT_TRUE(say(upsert("web", "s1", 300)).refused());
  EXPECT_TRUE(say(R"(operations { create { server { backend: "web" name: "s2" address: "10.9.9.9:1" } } })").refused());
  EXPECT_TRUE(say(R"(operations { replace { server { backend: "web" name: "none" address: "10.0.0.1:1" } } }
                     operations { delete { server { backend: "web" name: "s3" } } })")
                  .refused());
  EXPECT_FALSE(say(R"(operations { patch { resource { server { backend: "web" name: "s4" weight: 3 } }
                                           update_mask { paths: "weight" } } })")
                   .refused());
  EXPECT_TRUE(say(R"(expected_version: 999 operations { delete { backend: "app" } })").refused());
  say(name_listener());
  Result result = end();
  EXPECT_EQ(result.outcome, Outcome::kApplied) << reason_of(result);
  EXPECT_THAT(names(), ElementsAre("listener l", "app", "web", "web/s1", "web/s2", "web/s3", "web/s4"))
      << "a backend stays while one of its servers does";
}

TEST_F(ResyncTest, WhatCameAfterTheBeginningIsSpared) {
  begin();
  must(upsert("app", "from-another"));
  say(name_listener() + name_backend("web") + upsert("web", "s1") + upsert("web", "s2"));
  say(R"(operations { delete { server { backend: "web" name: "s3" } } })");
  say(upsert("web", "s3"));
  EXPECT_FALSE(end().refused());
  EXPECT_THAT(names(), testing::UnorderedElementsAre("listener l", "app", "app/from-another", "web", "web/s1", "web/s2",
                                                     "web/s3"));
}

TEST_F(ResyncTest, ABackendThatAListenerNeedsIsNotRemoved) {
  begin();
  say(name_listener());
  std::vector<std::string> before = names();
  Result result = end();
  EXPECT_EQ(reason(result), v1::REASON_IN_USE);
  EXPECT_FALSE(result.failures.front().index);
  EXPECT_THAT(reason_of(result), HasSubstr("backend web: is in use by listener l"));
  EXPECT_EQ(names(), before);
  say(name_backend("web"));
  EXPECT_FALSE(end().refused()) << "the resync was still open";
}

TEST_F(ResyncTest, EverythingCanGo) {
  begin();
  EXPECT_EQ(end(100).outcome, Outcome::kApplied);
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(ResyncTest, TheGuardCountsAndLeavesItOpen) {
  begin();
  say(name_listener() + name_backend("web") + upsert("web", "s1") + name_backend("app"));
  std::vector<std::string> before = names();
  Result result = end(50);
  EXPECT_EQ(reason(result), v1::REASON_MASS_REMOVAL);
  EXPECT_THAT(reason_of(result), HasSubstr("would remove 3 of 4 servers of backend web, more than 50 percent"));
  EXPECT_EQ(result.failures_total, 1) << "of one server, that one may go";
  EXPECT_EQ(names(), before);
  EXPECT_EQ(reason(end(101)), v1::REASON_INVALID);
  say(upsert("web", "s2"));
  EXPECT_EQ(end(50).outcome, Outcome::kApplied);
  EXPECT_EQ(reason(end()), v1::REASON_NO_RESYNC);
}

TEST_F(ResyncTest, TheGuardCountsBackendsAndListeners) {
  add("third", {});
  begin();
  say(name_backend("web") + upsert("web", "s1") + upsert("web", "s2"));
  Result result = end(50);
  EXPECT_EQ(reason(result), v1::REASON_MASS_REMOVAL);
  EXPECT_THAT(reason_of(result), HasSubstr("2 of 3 backends"));
  EXPECT_EQ(end(67).outcome, Outcome::kApplied);
  EXPECT_THAT(names(), ElementsAre("web", "web/s1", "web/s2"));
}

// The only listener may go, and so may the only backend: but not with all that it has.
TEST_F(ResyncTest, TheGuardCountsServersOfABackendThatGoes) {
  must(R"(operations { delete { listener: "l" } } operations { delete { backend: "app" } })");
  begin();
  std::vector<std::string> before = names();
  Result result = end(50);
  EXPECT_EQ(reason(result), v1::REASON_MASS_REMOVAL);
  EXPECT_THAT(reason_of(result), HasSubstr("would remove 4 of 4 servers, more than 50 percent"));
  EXPECT_EQ(names(), before);
  end(50, /*cancel=*/true);
  add("large", {"1", "2", "3", "4", "5"});
  begin();
  say(name_backend("large") + upsert("large", "1") + upsert("large", "2") + upsert("large", "3") +
      upsert("large", "4") + upsert("large", "5"));
  EXPECT_EQ(end(50).outcome, Outcome::kApplied) << "4 of 9";
}

class BusyResyncTest : public ResyncTest {
 protected:
  // What `ask(done)` is answered where the writer is busy and its mailbox full.
  template <typename Ask>
  Result ask_when_full(Ask&& ask) {
    std::promise<void> busy, go_on;
    store_.read([&](Reader&) {
      busy.set_value();
      go_on.get_future().wait();
    });
    busy.get_future().wait();
    while (store_.read([](Reader&) {}) == Store::Posted::kYes) {
    }
    std::promise<Result> answer;
    ask([&](Result result) { answer.set_value(std::move(result)); });
    std::future<Result> answered = answer.get_future();
    EXPECT_EQ(answered.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "it takes its turn";
    go_on.set_value();
    return answered.get();
  }
};

// What such a transaction named is not known.
TEST_F(BusyResyncTest, WithoutRoomForATransactionItEnds) {
  begin();
  Transaction transaction = make_transaction(transaction_of(upsert("web", "s1")), store_.limits(), origin(kSession));
  transaction.fence = fence();
  Result result = ask_when_full([&](auto done) { store_.apply(std::move(transaction), {}, done); });
  EXPECT_EQ(reason(result), v1::REASON_LIMIT_EXCEEDED);
  EXPECT_EQ(reason(end(100)), v1::REASON_NO_RESYNC);
}

TEST_F(BusyResyncTest, WithoutRoomForItsEndItStaysOpen) {
  begin();
  EndResync request{.id = 9, .origin = origin(kSession), .fence = fence(), .max_removal_percent = 100};
  Result result = ask_when_full([&](auto done) { store_.end_resync(request, {}, done); });
  EXPECT_EQ(reason(result), v1::REASON_LIMIT_EXCEEDED);
  EXPECT_EQ(end(100).outcome, Outcome::kApplied);
}

TEST_F(ResyncTest, OneBackendsScopeLeavesTheRestAlone) {
  EXPECT_EQ(reason(begin("nobody")), v1::REASON_NOT_FOUND);
  EXPECT_FALSE(begin("web").refused());
  Result outside = say("atomicity: ATOMICITY_EACH " + upsert("web", "s1") + upsert("app", "a2") + name_backend("web") +
                       upsert("web", "s2"));
  EXPECT_EQ(outside.outcome, Outcome::kPartial);
  ASSERT_EQ(outside.failures.size(), 2);
  EXPECT_EQ(outside.failures[0].index, 1);
  EXPECT_EQ(outside.failures[1].index, 2);
  EXPECT_EQ(reason(outside), v1::REASON_OUT_OF_SCOPE);
  EXPECT_THAT(reason_of(outside), HasSubstr("server app/a2: is outside of the resync"));
  EXPECT_FALSE(end().refused());
  EXPECT_THAT(names(), ElementsAre("listener l", "app", "app/a1", "web", "web/s1", "web/s2"));
}

TEST_F(ResyncTest, NestedAndMissing) {
  EXPECT_EQ(reason(end()), v1::REASON_NO_RESYNC);
  begin();
  EXPECT_EQ(reason(begin()), v1::REASON_NO_RESYNC);
  EXPECT_EQ(end(50, true).outcome, Outcome::kUnchanged);
  EXPECT_EQ(reason(end()), v1::REASON_NO_RESYNC) << "cancelled";
  EXPECT_EQ(names().size(), 8);
}

TEST_F(ResyncTest, ALostSessionForgetsItAndAnotherPrimaryTakesItsPlace) {
  begin();
  store_.close_session(kSession);
  EXPECT_EQ(reason(end()), v1::REASON_NO_RESYNC);
  begin();
  become_primary(8, 2);
  EXPECT_FALSE(begin("", 8).refused());
  id_ = {0, 1};
  EXPECT_EQ(reason(end()), v1::REASON_NOT_PRIMARY);
  EXPECT_EQ(names().size(), 8);
}

}  // namespace
}  // namespace fairlead::store
