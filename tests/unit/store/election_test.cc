#include "store/election.h"

#include "gmock/gmock.h"
#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::HasSubstr;

class ElectionTest : public StoreFixture {
 protected:
  void open(uint64_t session, std::optional<ElectionId> id) {
    std::promise<void> opened;
    ASSERT_EQ(store_.open_session(session, id, [&](Reader&) { opened.set_value(); }), Store::Posted::kYes);
    opened.get_future().get();
  }
  Result write(const Fence& fence, uint64_t session = 0, const std::string& text = kWeb) {
    auto origin = std::make_shared<const Origin>("test", "here", session);
    Transaction transaction = make_transaction(transaction_of(text), store_.limits(), origin);
    transaction.fence = fence;
    std::promise<Result> promise;
    store_.apply(std::move(transaction), {}, [&](Result result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  Result session_writes(uint64_t session, std::optional<ElectionId> id) {
    return write({.kind = Fence::Kind::kSession, .election_id = id}, session);
  }
  Result call_writes(std::optional<ElectionId> id, bool override_primary = false) {
    return write({.kind = Fence::Kind::kCall, .election_id = id, .override_primary = override_primary});
  }
  ElectionId highest() {
    return read([](Reader& reader) { return reader.election().value(); });
  }
  static v1::Reason reason(const Result& result) {
    return result.failures.empty() ? v1::REASON_UNSPECIFIED : result.failures.front().failure.reason;
  }
};

TEST_F(ElectionTest, IdsCompareAsOneNumberOf128Bits) {
  EXPECT_LT((ElectionId{0, 9}), (ElectionId{1, 0}));
  EXPECT_LT((ElectionId{1, 1}), (ElectionId{1, 2}));
  EXPECT_EQ((ElectionId{0, 9}).to_text(), "9");
  EXPECT_EQ((ElectionId{2, 9}).to_text(), "2:9");
}

TEST_F(ElectionTest, TheHigherIdWritesAndTheLowerIsToldWhy) {
  open(1, ElectionId{0, 5});
  EXPECT_EQ(session_writes(1, ElectionId{0, 5}).outcome, Outcome::kApplied);
  open(2, ElectionId{1, 0});
  Result refused = session_writes(1, ElectionId{0, 5});
  EXPECT_EQ(reason(refused), v1::REASON_NOT_PRIMARY);
  EXPECT_THAT(reason_of(refused), HasSubstr("election id 5 is lower than 1:0"));
  EXPECT_EQ(refused.version, 1);
  EXPECT_EQ(session_writes(2, ElectionId{1, 0}).outcome, Outcome::kUnchanged);
}

TEST_F(ElectionTest, OfEqualIdsTheNewerSessionIsPrimary) {
  open(1, ElectionId{0, 5});
  open(2, ElectionId{0, 5});
  EXPECT_THAT(reason_of(session_writes(1, ElectionId{0, 5})), HasSubstr("a newer session has election id 5"));
  EXPECT_FALSE(session_writes(2, ElectionId{0, 5}).refused());
  open(3, ElectionId{0, 4});
  EXPECT_FALSE(session_writes(2, ElectionId{0, 5}).refused());
}

TEST_F(ElectionTest, AnObserverMayOnlyValidate) {
  open(1, std::nullopt);
  Result refused = session_writes(1, std::nullopt);
  EXPECT_EQ(reason(refused), v1::REASON_NOT_PRIMARY);
  EXPECT_THAT(reason_of(refused), HasSubstr("observer"));
  Fence observer{.kind = Fence::Kind::kSession};
  EXPECT_FALSE(write(observer, 1, std::string(kWeb) + " validate_only: true").refused());
  EXPECT_EQ(highest(), ElectionId{});
}

TEST_F(ElectionTest, CallsNeedAFenceOnceAnIdWasUsed) {
  EXPECT_FALSE(call_writes(std::nullopt).refused());
  open(1, ElectionId{0, 5});
  EXPECT_THAT(reason_of(call_writes(std::nullopt)), HasSubstr("give an election id of at least 5"));
  EXPECT_THAT(reason_of(call_writes(ElectionId{0, 4})), HasSubstr("election id 4 is lower than 5"));
  EXPECT_FALSE(call_writes(ElectionId{0, 5}).refused());
  EXPECT_FALSE(session_writes(1, ElectionId{0, 5}).refused()) << "an equal id of a call changes nothing";
  EXPECT_FALSE(call_writes(std::nullopt, true).refused());
  EXPECT_FALSE(session_writes(1, ElectionId{0, 5}).refused()) << "override does not change who is primary";
  EXPECT_FALSE(call_writes(ElectionId{0, 6}).refused());
  EXPECT_TRUE(session_writes(1, ElectionId{0, 5}).refused());
  EXPECT_EQ(highest(), (ElectionId{0, 6}));
}

TEST_F(ElectionTest, ZeroIsNoId) {
  EXPECT_EQ(reason(call_writes(ElectionId{})), v1::REASON_INVALID);
  EXPECT_EQ(reason(session_writes(1, ElectionId{})), v1::REASON_INVALID);
}

TEST_F(ElectionTest, WhatOnlyValidatesIsNoWriteAndRaisesNothing) {
  open(1, ElectionId{0, 5});
  Fence call{.kind = Fence::Kind::kCall};
  EXPECT_FALSE(write(call, 0, std::string(kWeb) + " validate_only: true").refused());
  call.election_id = ElectionId{0, 9};
  EXPECT_FALSE(write(call, 0, std::string(kWeb) + " validate_only: true").refused());
  EXPECT_EQ(highest(), (ElectionId{0, 5}));
}

TEST_F(ElectionTest, OfAnEarlierLifeTheHighestIdStillCounts) {
  Election election;
  election.restore({0, 5});
  Fence session{.kind = Fence::Kind::kSession, .election_id = ElectionId{0, 4}};
  election.announce(1, {0, 4});
  EXPECT_TRUE(election.check(session, 1, false));
  election.announce(2, {0, 5});
  session.election_id = ElectionId{0, 5};
  EXPECT_FALSE(election.check(session, 2, false));
}

}  // namespace
}  // namespace fairlead::store
