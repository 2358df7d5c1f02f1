// Random transactions of several sessions and calls over the real service, against a reference that was written from
// the schema. When all is quiet: what is exported, its digest and its counts are the reference's, a client that only
// watches believes the same, and so does a data plane that is made from the export, and one that begins with the
// journal.
//
// FAIRLEAD_TEST_SEED repeats a run, FAIRLEAD_TEST_SECONDS makes it longer, FAIRLEAD_TEST_TELL prints what is sent.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client_digest.h"
#include "expecting_client.h"
#include "management_fixture.h"
#include "random_operations.h"
#include "reference.h"
#include "watching_client.h"

namespace fairlead::management {
namespace {

using grpc::StatusCode;

v1::Resources bare(v1::Resources resources) {
  auto strip = [](auto& items) {
    for (auto& item : items) {
      item.clear_metadata();
      item.clear_status();
    }
    std::ranges::sort(items, {}, [](const auto& item) { return canonical_bytes(item); });
  };
  strip(*resources.mutable_listeners());
  strip(*resources.mutable_backends());
  strip(*resources.mutable_servers());
  return resources;
}

// By kind and name, settings alone.
std::map<std::string, std::string> settings_of(const v1::Resources& resources) { return beliefs(bare(resources)); }

class RandomSessionsTest : Quiet, public ManagementFixture {
 protected:
  explicit RandomSessionsTest(bool is_durable = false) : ManagementFixture(is_durable), is_durable_(is_durable) {}

  v1::TransactionResult apply(const v1::Transaction& transaction) { return call(*stub_, transaction); }
  // Changes one resource of its own, so that the version has exactly one event, its last; and that version.
  uint64_t mark(Reference& reference) {
    v1::Operation operation;
    v1::Backend& backend = *operation.mutable_upsert()->mutable_backend();
    backend.set_name("mark");
    (*backend.mutable_labels())["number"] = absl::StrCat(++marks_);
    v1::Transaction transaction = single(operation);
    Expected expected = reference.apply(transaction);
    v1::TransactionResult result = apply(transaction);
    expect_result(result, expected, false);
    return result.version();
  }

  void expect_state(const v1::Resources& wanted) {
    v1::Resources all = exported();
    EXPECT_EQ(difference(settings_of(all), settings_of(wanted)), "");
    v1::GetInfoResponse told = info();
    EXPECT_EQ(absl::BytesToHexString(told.digest()), absl::BytesToHexString(digest_of(wanted)));
    EXPECT_EQ(told.servers(), wanted.servers_size());
    EXPECT_EQ(told.backends(), wanted.backends_size());
    EXPECT_EQ(told.listeners(), wanted.listeners_size());
    EXPECT_EQ(half_.accepting().size(), wanted.listeners_size());
  }
  // Uids last as long as a resource's life and are never used again; versions are those of the last change.
  void expect_metadata(const Reference& reference) {
    v1::Resources all = exported();
    for (const v1::Listener& item : all.listeners()) expect_held(reference.listeners().at(item.name()), item);
    for (const v1::Backend& item : all.backends()) expect_held(reference.backends().at(item.name()), item);
    for (const v1::Server& item : all.servers())
      expect_held(reference.servers().at({item.backend(), item.name()}), item);
    EXPECT_EQ(info().version(), reference.version());
  }
  void expect_eligible(const Reference& reference) {
    grpc::ClientContext context;
    v1::ListBackendsResponse response;
    ASSERT_TRUE(stub_->ListBackends(&context, {}, &response).ok());
    EXPECT_EQ(response.backends_size(), reference.backends().size());
    for (const v1::Backend& backend : response.backends()) {
      EXPECT_EQ(backend.status().eligible(), reference.eligible(backend.name())) << backend.name();
    }
  }
  void expect_believed(WatchingClient& client, uint64_t version) {
    EXPECT_EQ(difference(client.wait_for(version), beliefs(exported())), "");
    EXPECT_EQ(client.contradiction(), "");
  }
  // Invariant 4: another data plane, which is told the result at once, has the same.
  void expect_rebuilt() {
    v1::Resources all = exported();
    std::string digest = info().digest();
    test_support::FakeReadingHalf half;
    store::Store store(half);
    at_another(store, [&] {
      v1::TransactionResult result = apply(rebuilding(all));
      EXPECT_EQ(result.failures_total(), 0) << result.DebugString();
      EXPECT_EQ(difference(settings_of(exported()), settings_of(all)), "");
      EXPECT_EQ(absl::BytesToHexString(info().digest()), absl::BytesToHexString(digest));
    });
  }
  // What is on disk is what was acknowledged: one that begins with a copy of it has the same, and knows whom it
  // elected.
  void expect_restarted() {
    if (!is_durable_) return;
    v1::Resources all = exported();
    v1::GetInfoResponse told = info();
    at_restarted([&](test_support::FakeReadingHalf& half) {
      EXPECT_EQ(difference(beliefs(exported()), beliefs(all)), "");
      v1::GetInfoResponse is = info();
      EXPECT_EQ(is.version(), told.version());
      EXPECT_EQ(is.epoch(), told.epoch());
      EXPECT_EQ(absl::BytesToHexString(is.digest()), absl::BytesToHexString(told.digest()));
      EXPECT_EQ(is.highest_election_id().low(), told.highest_election_id().low());
      EXPECT_EQ(half.accepting().size(), all.listeners_size());
    });
  }

  // As the test's seed and its time say.
  template <typename Run>
  void for_seeds(std::chrono::milliseconds time, Run run) {
    const char* given = std::getenv("FAIRLEAD_TEST_SEED");
    const char* longer = std::getenv("FAIRLEAD_TEST_SECONDS");
    if (longer) time = std::chrono::seconds(std::atoi(longer));
    uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
    auto end = std::chrono::steady_clock::now() + time;
    do {
      SCOPED_TRACE(absl::StrCat("FAIRLEAD_TEST_SEED=", seed));
      // Also where the process ends.
      std::cout << "FAIRLEAD_TEST_SEED=" << seed << std::endl;
      run(seed);
      if (HasFailure() || given) return;
      clear();
      ++seed;
    } while (std::chrono::steady_clock::now() < end);
  }
  // One seed does not see what another left.
  void clear() {
    v1::Transaction transaction;
    v1::Resources all = exported();
    for (const v1::Listener& item : all.listeners())
      transaction.add_operations()->mutable_delete_()->set_listener(item.name());
    for (const v1::Backend& item : all.backends())
      transaction.add_operations()->mutable_delete_()->set_backend(item.name());
    EXPECT_EQ(apply(transaction).failures_total(), 0);
    half_.finish_drains();
  }

  void one_after_another(uint64_t seed);
  void at_once(uint64_t seed);
  void stream(RandomOperations& draw, Reference& reference, uint64_t election);
  void repeat_calls(RandomOperations& draw, Reference& reference);

 private:
  template <typename Message>
  void expect_held(const Held<Message>& held, const Message& item) {
    EXPECT_EQ(item.metadata().version(), held.version) << item.DebugString();
    auto [at, is_new] = uids_.emplace(held.life, item.metadata().uid());
    EXPECT_EQ(at->second, item.metadata().uid()) << item.DebugString();
    if (is_new) {
      EXPECT_TRUE(lives_.emplace(item.metadata().uid(), held.life).second) << item.DebugString();
    }
  }

 protected:
  const bool is_durable_;
  uint64_t marks_ = 0;
  std::map<uint64_t, uint64_t> uids_;
  std::map<uint64_t, uint64_t> lives_;
};

// Several sessions in turn, each with a burst of transactions; calls between them. So every answer is known.
class Turns {
 public:
  // `highest`: the election id that was used before, 0 for none.
  Turns(v1::ManagementService::Stub& stub, Reference& reference, RandomOperations& draw, uint64_t highest)
      : stub_(stub), reference_(reference), draw_(draw), sessions_(3), highest_(highest) {}

  void take_one() {
    size_t kind = draw_.random().below(10);
    if (kind < 3) return take_call();
    std::unique_ptr<ExpectingSession>& session = sessions_[draw_.random().below(sessions_.size())];
    if (!session) open(session);
    burst(*session);
    if (kind == 9) end(session);
  }

 private:
  // The newest session of the highest id writes, and no other.
  void open(std::unique_ptr<ExpectingSession>& session) {
    uint64_t election = draw_.random().chance(0.9) ? highest_ + draw_.random().below(3) : 0;
    session = std::make_unique<ExpectingSession>(stub_, absl::StrCat("session-", draw_.random().below(5)), election);
    bool primary = election >= highest_ && election > 0;
    if (primary) primary_ = session.get();
    highest_ = std::max(highest_, election);
    EXPECT_EQ(session->opened().primary(), primary);
    EXPECT_EQ(session->opened().highest_election_id().low(), highest_);
  }
  bool may_write(const ExpectingSession& session) const { return primary_ == &session; }

  void burst(ExpectingSession& session) {
    uint64_t count = draw_.random().between(1, draw_.random().chance(0.05) ? 200 : 12);
    for (uint64_t i = 0; i < count; ++i) {
      if (may_write(session) && draw_.random().chance(0.1)) {
        step_of_resync(session);
        continue;
      }
      v1::Transaction transaction = draw_.transaction(6);
      if (draw_.random().chance(0.1)) transaction.set_expected_version(reference_.version());
      if (draw_.random().chance(0.03))
        transaction.set_expected_version(reference_.version() + draw_.random().between(1, 9));
      if (draw_.random().chance(0.03)) transaction.set_expected_version(draw_.random().below(reference_.version() + 1));
      if (!may_write(session) && !transaction.validate_only()) {
        transaction.clear_expected_version();
        session.add(transaction, {v1::OUTCOME_REFUSED, reference_.version(), {{{}, {v1::REASON_NOT_PRIMARY}}}});
        continue;
      }
      if (session.resync()) Reference::mark(*session.resync(), transaction);
      session.add(transaction, reference_.apply(transaction));
    }
    session.run(/*versions=*/true);
  }
  void step_of_resync(ExpectingSession& session) {
    Expected unchanged{v1::OUTCOME_UNCHANGED, reference_.version()};
    Expected wrong{v1::OUTCOME_REFUSED, reference_.version(), {{{}, {v1::REASON_NO_RESYNC}}}};
    bool begins = draw_.random().chance(0.5);
    if (begins != !session.resync()) {
      begins ? session.begin_resync(wrong) : session.end_resync(false, wrong);
    } else if (begins) {
      session.resync() = reference_.begin_resync();
      session.begin_resync(unchanged);
    } else if (draw_.random().chance(0.3)) {
      session.resync().reset();
      session.end_resync(true, unchanged);
    } else {
      Expected expected = reference_.end_resync(*session.resync());
      // A refused end leaves it open.
      if (expected.failures.empty()) session.resync().reset();
      session.end_resync(false, expected);
    }
  }
  // By its own wish, or vanishing.
  void end(std::unique_ptr<ExpectingSession>& session) {
    if (draw_.random().chance(0.5)) session->end();
    if (primary_ == session.get()) primary_ = nullptr;
    session.reset();
  }
  void take_call() {
    v1::Operation operation = draw_.operation();
    SCOPED_TRACE(operation.ShortDebugString());
    Expected expected = reference_.apply(single(operation));
    if (std::getenv("FAIRLEAD_TEST_TELL")) {
      std::cerr << expected.version << " call " << operation.ShortDebugString() << "\n";
    }
    std::optional<grpc::Status> status = call(stub_, operation);
    if (!status) {
      v1::TransactionResult result = call(stub_, single(operation));
      expect_result(result, expected, false);
      EXPECT_EQ(result.version(), expected.version);
      return;
    }
    bool failed = !expected.failures.empty();
    EXPECT_EQ(status->ok(), !failed) << status->error_message();
    if (!failed) return;
    Reasons reasons = expected.failures[0].reasons;
    EXPECT_TRUE(
        std::ranges::any_of(reasons, [&](v1::Reason reason) { return status_of(reason) == status->error_code(); }))
        << status->error_code() << ": " << status->error_message();
  }

  v1::ManagementService::Stub& stub_;
  Reference& reference_;
  RandomOperations& draw_;
  std::vector<std::unique_ptr<ExpectingSession>> sessions_;
  uint64_t highest_;
  // Nobody: it has gone.
  ExpectingSession* primary_ = nullptr;
};

void RandomSessionsTest::one_after_another(uint64_t seed) {
  RandomOperations draw(seed, "");
  uids_.clear();
  Reference reference(info().version());
  Turns turns(*stub_, reference, draw, info().highest_election_id().low());
  WatchingClient from_start(*observation_), later(*observation_);
  from_start.begin();
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    if (draw.random().chance(0.2)) half_.hold_drains();
    if (draw.random().chance(0.5)) half_.finish_drains();
    turns.take_one();
    if (round == 0 || draw.random().chance(0.1)) later.begin();
    if (!draw.random().chance(0.2)) continue;
    uint64_t version = mark(reference);
    expect_state(reference.resources());
    expect_metadata(reference);
    expect_eligible(reference);
    expect_believed(from_start, version);
    expect_believed(later, version);
    if (draw.random().chance(0.3)) expect_rebuilt();
    if (draw.random().chance(0.3)) expect_restarted();
  }
  half_.finish_drains();
}

// A session and callers that really run beside each other, each on resources of its own, so that what each is answered
// is known.
void RandomSessionsTest::at_once(uint64_t seed) {
  constexpr size_t kWriters = 4;
  uint64_t version = info().version();
  std::vector<Reference> references(kWriters);
  WatchingClient watching(*observation_);
  std::vector<std::thread> threads;
  uint64_t election = info().highest_election_id().low() + 1;
  for (size_t i = 0; i < kWriters; ++i) {
    threads.emplace_back([&, i] {
      SCOPED_TRACE(absl::StrCat("FAIRLEAD_TEST_SEED=", seed));
      RandomOperations draw(seed * kWriters + i, absl::StrCat("p", i, "-"));
      i == 0 ? stream(draw, references[i], election) : repeat_calls(draw, references[i]);
    });
  }
  watching.begin();
  for (std::thread& thread : threads) thread.join();
  Reference marks;
  uint64_t marked = mark(marks);
  v1::Resources wanted = marks.resources();
  for (const Reference& reference : references) {
    wanted.MergeFrom(reference.resources());
    version += reference.version();
  }
  EXPECT_EQ(marked, version + 1) << "each transaction that changes something has a version of its own";
  expect_state(wanted);
  expect_believed(watching, marked);
  expect_rebuilt();
  expect_restarted();
}

void RandomSessionsTest::stream(RandomOperations& draw, Reference& reference, uint64_t election) {
  ExpectingSession session(*stub_, "session", election);
  for (int round = 0; round < 20; ++round) {
    for (uint64_t count = draw.random().between(1, 60); count > 0; --count) {
      v1::Transaction transaction = draw.transaction(6);
      session.add(transaction, reference.apply(transaction));
    }
    session.run(/*versions=*/false);
  }
  session.end();
}

void RandomSessionsTest::repeat_calls(RandomOperations& draw, Reference& reference) {
  for (int number = 0; number < 200; ++number) {
    v1::Transaction transaction = draw.transaction(6);
    SCOPED_TRACE(transaction.ShortDebugString());
    Expected expected = reference.apply(transaction);
    expect_result(call(*stub_, transaction), expected, transaction.atomicity() == v1::ATOMICITY_EACH);
  }
}

TEST_F(RandomSessionsTest, AnswerAndHoldWhatTheReferenceDoes) {
  for_seeds(std::chrono::milliseconds(1500), [&](uint64_t seed) { one_after_another(seed); });
}

TEST_F(RandomSessionsTest, BesideEachOtherHoldWhatTheirReferencesDo) {
  for_seeds(std::chrono::milliseconds(1500), [&](uint64_t seed) { at_once(seed); });
}

class DurableSessionsTest : public RandomSessionsTest {
 protected:
  DurableSessionsTest() : RandomSessionsTest(/*is_durable=*/true) {}
};

TEST_F(DurableSessionsTest, AnswerHoldAndKeepWhatTheReferenceDoes) {
  for_seeds(std::chrono::milliseconds(1500), [&](uint64_t seed) { one_after_another(seed); });
}

TEST_F(DurableSessionsTest, BesideEachOtherKeepWhatTheirReferencesDo) {
  for_seeds(std::chrono::milliseconds(1500), [&](uint64_t seed) { at_once(seed); });
}

}  // namespace
}  // namespace fairlead::management
