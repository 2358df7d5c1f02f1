// Sessions beyond transactions: elections, resyncs, silence, and watches that go on where they were.
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "management_fixture.h"

namespace fairlead::management {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

constexpr const char* kWeb =
    R"(operations { create { backend { name: "web" servers { name: "s1" address: "10.0.0.5:80" } } } })";

// A session, driven message by message.
class Session {
 public:
  explicit Session(v1::ManagementService::Stub& stub) : stream_(stub.StreamUpdates(&context_)) {}
  Session(v1::ManagementService::Stub& stub, const std::string& open) : Session(stub) {
    send(absl::StrCat("open { client_name: \"test\" ", open, " }"));
    opened = read().opened();
  }
  ~Session() { context_.TryCancel(); }

  bool send(const std::string& text) { return send(from_text<v1::StreamUpdatesRequest>(text)); }
  bool send(const v1::StreamUpdatesRequest& request) { return stream_->Write(request); }
  v1::StreamUpdatesResponse read() {
    v1::StreamUpdatesResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }
  v1::TransactionResult ask(const std::string& text) {
    send(text);
    return read().result();
  }
  grpc::Status end() {
    v1::StreamUpdatesResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }
  void half_close() { stream_->WritesDone(); }

  v1::Opened opened;

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>> stream_;
};

v1::Reason reason(const v1::TransactionResult& result) {
  return result.failures_size() == 0 ? v1::REASON_UNSPECIFIED : result.failures(0).reason();
}

class SessionTest : public ManagementFixture {
 protected:
  void restart_with_silence(std::chrono::nanoseconds silence) {
    server_->stop();
    start(1024, silence);
  }
};

TEST_F(SessionTest, OpenedTellsWhatTheDataPlaneHas) {
  must(kWeb);
  Session observer(*stub_, "");
  EXPECT_EQ(observer.opened.version(), 1);
  EXPECT_EQ(observer.opened.digest(), info().digest());
  EXPECT_EQ(observer.opened.limits().silence().seconds(), 60);
  EXPECT_FALSE(observer.opened.has_highest_election_id());
  EXPECT_FALSE(observer.opened.primary());
  Session primary(*stub_, "election_id { high: 1 low: 2 }");
  EXPECT_TRUE(primary.opened.primary());
  EXPECT_EQ(primary.opened.highest_election_id().high(), 1);
  EXPECT_EQ(primary.opened.highest_election_id().low(), 2);
  EXPECT_EQ(info().highest_election_id().high(), 1);
  Session lower(*stub_, "election_id { low: 9 }");
  EXPECT_FALSE(lower.opened.primary());
  EXPECT_EQ(lower.opened.highest_election_id().high(), 1);
}

// Of 1 MiB each, as many as the window has KiB: what a client sends beyond that stays with it.
TEST_F(SessionTest, LargeTransactionsFillTheWindowByTheirSize) {
  Session session(*stub_, "election_id { low: 1 }");
  const uint64_t fit = session.opened.limits().unanswered_operations() / 1024 + 1;
  half_.hold_visible();
  std::thread sender([&] {
    for (uint64_t id = 1; id <= 3 * fit; ++id) {
      v1::StreamUpdatesRequest request = from_text<v1::StreamUpdatesRequest>(
          absl::StrCat("transaction { id: ", id, " operations { upsert { backend { name: \"b", id, "\" } } } }"));
      // Nobody knows this field, and it is kept nowhere.
      v1::Transaction& transaction = *request.mutable_transaction();
      transaction.GetReflection()
          ->MutableUnknownFields(&transaction)
          ->AddLengthDelimited(1000, std::string(1 << 20, 'x'));
      ASSERT_TRUE(session.send(request));
    }
    session.half_close();
  });
  while (info().version() < fit) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(info().version(), fit);
  half_.release_visible();
  EXPECT_TRUE(session.end().ok());
  sender.join();
  EXPECT_EQ(info().version(), 3 * fit) << "nothing is lost";
}

TEST_F(SessionTest, WritesOfOthersAreRefusedOneByOneAndTheSessionsStay) {
  must(kWeb);
  Session observer(*stub_, "");
  Session old(*stub_, "election_id { low: 1 }");
  EXPECT_EQ(old.ask(R"(transaction { id: 1 operations { upsert { backend { name: "old" } } } })").version(), 2);
  Session next(*stub_, "election_id { low: 2 }");
  std::string before = state();
  for (int id = 2; id < 4; ++id) {
    EXPECT_EQ(reason(old.ask(absl::StrCat("transaction { id: ", id, " operations { delete { backend: \"old\" } } }"))),
              v1::REASON_NOT_PRIMARY);
    EXPECT_EQ(reason(observer.ask(absl::StrCat("transaction { id: ", id, " }"))), v1::REASON_NOT_PRIMARY);
  }
  EXPECT_EQ(reason(observer.ask("begin_resync { id: 10 }")), v1::REASON_NOT_PRIMARY);
  EXPECT_EQ(state(), before);
  EXPECT_EQ(next.ask(R"(transaction { id: 1 operations { delete { backend: "old" } } })").version(), 3);
}

TEST_F(SessionTest, UnaryWritesAreFencedOnceAnIdWasUsed) {
  must(kWeb);
  Session session(*stub_, "election_id { low: 3 }");
  auto add = [&](const std::string& fence) {
    grpc::ClientContext context;
    v1::AddBackendResponse response;
    return stub_->AddBackend(
        &context, from_text<v1::AddBackendRequest>(absl::StrCat("backend { name: \"api\" } ", fence)), &response);
  };
  grpc::Status refused = add("");
  EXPECT_EQ(refused.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("fence: control planes are elected here"));
  EXPECT_EQ(add("fence { election_id { low: 2 } }").error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(add("fence { election_id {} }").error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(reason(apply("operations { delete { backend: \"api\" } }")), v1::REASON_NOT_PRIMARY);
  EXPECT_TRUE(add("fence { override: true }").ok());
  EXPECT_TRUE(add("fence { election_id { low: 3 } }").ok());
  EXPECT_FALSE(session.ask("transaction { id: 1 }").failures_total());
}

TEST_F(SessionTest, AResyncRemovesWhatWasNotNamed) {
  must(kWeb);
  must(R"(operations { create { backend { name: "api" } } })");
  Session session(*stub_, "election_id { low: 1 }");
  EXPECT_EQ(reason(session.ask("end_resync { id: 1 }")), v1::REASON_NO_RESYNC);
  EXPECT_EQ(session.ask("begin_resync { id: 2 }").outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(reason(session.ask("begin_resync { id: 3 }")), v1::REASON_NO_RESYNC);
  EXPECT_EQ(reason(session.ask("end_resync { id: 3 max_removal_percent: 100 }")), v1::REASON_INVALID) << "of its id";
  EXPECT_EQ(reason(session.ask("end_resync { id: 4 }")), v1::REASON_MASS_REMOVAL);
  session.ask(R"(transaction { id: 5 operations { upsert { backend { name: "api" } } } })");
  v1::TransactionResult result = session.ask("end_resync { id: 6 }");
  EXPECT_EQ(result.outcome(), v1::OUTCOME_APPLIED) << result.DebugString();
  EXPECT_EQ(result.version(), 3);
  EXPECT_EQ(exported().backends_size(), 1);
  EXPECT_EQ(exported().backends(0).name(), "api");
}

TEST_F(SessionTest, WhoIsSilentIsEndedAndWhoBeatsIsNot) {
  restart_with_silence(std::chrono::seconds(2));
  Session silent(*stub_, "election_id { low: 1 }");
  Session beating(*stub_, "");
  Session unopened(*stub_);
  std::atomic<bool> ended = false;
  std::thread beat([&] {
    while (!ended) {
      beating.send("heartbeat { version: 1 }");
      EXPECT_TRUE(beating.read().has_heartbeat());
    }
  });
  grpc::Status status = silent.end();
  EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(status.error_message(), "nothing came for 2s; send heartbeats at a third of that");
  EXPECT_EQ(unopened.end().error_code(), StatusCode::DEADLINE_EXCEEDED);
  ended = true;
  beat.join();
  EXPECT_EQ(reason(beating.ask("transaction { id: 1 }")), v1::REASON_NOT_PRIMARY);
}

TEST_F(SessionTest, AHeartbeatTellsWhatAllWorkersUse) {
  must(kWeb);
  Session session(*stub_, "election_id { low: 1 }");
  const uint64_t before = session.opened.version();
  auto beat = [&] {
    session.send("heartbeat {}");
    v1::StreamUpdatesResponse response = session.read();
    EXPECT_TRUE(response.has_heartbeat()) << response.DebugString();
    return response.heartbeat().version();
  };
  EXPECT_EQ(beat(), before);
  half_.hold_visible();
  session.send(R"(transaction { id: 1 operations { upsert { backend { name: "api" } } } })");
  // It is published by the time that another call has seen it.
  while (info().version() == before) {
  }
  EXPECT_EQ(beat(), before);
  half_.release_visible();
  EXPECT_EQ(session.read().result().version(), before + 1);
  EXPECT_EQ(beat(), before + 1);
}

TEST_F(SessionTest, WhoHasSaidEverythingAndWaitsIsNotSilent) {
  must(kWeb);
  restart_with_silence(std::chrono::milliseconds(50));
  Session session(*stub_, "election_id { low: 1 }");
  half_.hold_visible();
  session.send(R"(transaction { id: 1 operations { upsert { backend { name: "api" } } } })");
  session.half_close();
  // Another session ends by silence, after longer than this one was still.
  Session silent(*stub_, "");
  Session later(*stub_);
  silent.end();
  later.end();
  half_.release_visible();
  EXPECT_EQ(session.read().result().outcome(), v1::OUTCOME_APPLIED);
  EXPECT_TRUE(session.end().ok());
}

// What it did not read holds up even the reason for its end; so it is cut off, and its place is free.
TEST_F(SessionTest, WhoDoesNotReadItsResultsIsCutOffAndTakesNoMoreThanTheWindow) {
  server_->stop();
  start(/*sessions_max=*/1, std::chrono::milliseconds(100));
  Session session(*stub_, "election_id { low: 1 }");
  // Each result tells why its operation failed, so none stands for another.
  std::string refused = R"(transaction { operations { delete { server { backend: "no name" name: "x" } } } })";
  auto request = from_text<v1::StreamUpdatesRequest>(refused);
  uint64_t sent = 0;
  do request.mutable_transaction()->set_id(++sent);
  while (sent < 1'000'000 && session.send(request));
  EXPECT_LT(sent, 1'000'000) << "nothing holds it back";
  // Why, where that still gets through.
  EXPECT_THAT(session.end().error_code(), testing::AnyOf(StatusCode::CANCELLED, StatusCode::RESOURCE_EXHAUSTED));
  Session next(*stub_, "election_id { low: 2 }");
  EXPECT_EQ(next.opened.highest_election_id().low(), 2);
}

// --- WatchEvents ---

class WatchTest : public SessionTest {
 protected:
  std::unique_ptr<grpc::ClientReader<v1::WatchEventsResponse>> watch(const std::string& request) {
    context_ = std::make_unique<grpc::ClientContext>();
    return observation_->WatchEvents(context_.get(), from_text<v1::WatchEventsRequest>(request));
  }
  std::string position(uint64_t version, uint64_t sequence = 0) {
    std::string text = absl::StrCat("epoch: ", store_.epoch(), " version: ", version);
    return sequence > 0 ? absl::StrCat(text, " sequence: ", sequence) : text;
  }
  std::unique_ptr<grpc::ClientContext> context_;
};

TEST_F(WatchTest, AWatchGoesOnWhereItWas) {
  must(kWeb);
  auto first = watch("snapshot: true");
  v1::WatchEventsResponse event;
  while (first->Read(&event) && !event.has_snapshot_complete()) EXPECT_EQ(event.sequence(), 0);
  EXPECT_GT(event.sequence(), 0);
  uint64_t sequence = event.sequence();
  context_->TryCancel();
  first->Finish();
  must(R"(operations { delete { server { backend: "web" name: "s1" } } })");
  auto second = watch(position(1, sequence) + " snapshot: true");
  for (uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(second->Read(&event));
    EXPECT_EQ(event.sequence(), sequence + i);
    EXPECT_EQ(event.version(), 2);
  }
  EXPECT_EQ(event.server().lifecycle(), v1::LIFECYCLE_REMOVED);
  context_->TryCancel();
  second->Finish();
}

// Its place is free again for who comes next.
TEST_F(WatchTest, WhoDoesNotReadIsCutOff) {
  must(kWeb);
  // More than gRPC takes for a client that does not read.
  const std::string label(250, 'x');
  for (int part = 0; part < 16; ++part) {
    std::string many;
    for (int i = 0; i < 1'000; ++i) {
      absl::StrAppend(&many, R"(operations { create { server { backend: "web" name: "m)", part, "-", i,
                      R"(" address: "10.0.0.1:80" labels { key: "a" value: ")", label,
                      R"(" } labels { key: "b" value: ")", label, R"(" } labels { key: "c" value: ")", label,
                      R"(" } } } } )");
    }
    must(many);
  }
  server_->stop();
  start(/*sessions_max=*/1, std::chrono::milliseconds(100));
  auto stalled = watch("snapshot: true");
  std::unique_ptr<grpc::ClientContext> context = std::move(context_);
  v1::WatchEventsResponse event;
  ASSERT_TRUE(stalled->Read(&event));
  while (true) {
    auto next = watch("snapshot: true");
    const bool begins = next->Read(&event);
    if (begins) context_->TryCancel();
    const grpc::Status status = next->Finish();
    if (begins) break;
    ASSERT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  }
  while (stalled->Read(&event)) {
  }
  EXPECT_THAT(stalled->Finish().error_code(), testing::AnyOf(StatusCode::CANCELLED, StatusCode::ABORTED));
}

TEST_F(WatchTest, WhatCannotBeResumedIsSaid) {
  must(kWeb);
  for (const std::string& request : {position(2), std::string("epoch: 1 version: 1"), position(1, UINT64_MAX)}) {
    auto reader = watch(request);
    grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), StatusCode::OUT_OF_RANGE) << request;
    EXPECT_THAT(status.error_message(), HasSubstr("the oldest is version 0")) << request;
    reader = watch(request + " snapshot: true");
    v1::WatchEventsResponse event;
    ASSERT_TRUE(reader->Read(&event));
    EXPECT_EQ(event.too_old().epoch(), store_.epoch());
    ASSERT_TRUE(reader->Read(&event));
    EXPECT_EQ(event.resource().change(), v1::CHANGE_PRESENT);
    context_->TryCancel();
    reader->Finish();
  }
  for (const char* request : {"epoch: 1", "version: 1", "sequence: 1"}) {
    EXPECT_EQ(watch(request)->Finish().error_code(), StatusCode::INVALID_ARGUMENT) << request;
  }
}

}  // namespace
}  // namespace fairlead::management
