#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "management_fixture.h"

namespace fairlead::management {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

constexpr const char* kWeb =
    R"(operations { create { backend { name: "web" servers { name: "s1" address: "10.0.0.5:80" } } } })";

class ServiceTest : public ManagementFixture {};

TEST_F(ServiceTest, TheSocketIsForItsOwnerOnly) {
  struct stat status{};
  ASSERT_EQ(stat((folder_ + "/management.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600);
}

TEST_F(ServiceTest, ASocketInUseIsAnErrorAndOneLeftBehindIsReplaced) {
  auto second = ManagementServer::start({.listen = {address_}}, store_, collector_);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("is in use: somebody listens there"));
  must("");
  // A socket file without a process.
  std::string path = folder_ + "/dead.sock";
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  config::SocketAddress address = config::Endpoint(config::UnixEndpoint{path}).to_socket_address();
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address.storage), address.size), 0);
  close(fd);
  auto third = ManagementServer::start({.listen = {"unix:" + path}}, store_, collector_);
  EXPECT_TRUE(third.ok()) << third.status();
}

TEST_F(ServiceTest, WhatTheSystemSaysOfAnAddressIsToldAsItIs) {
  // It takes no streams: neither left behind nor one that such a server could have.
  std::string path = folder_ + "/datagrams.sock";
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  config::SocketAddress address = config::Endpoint(config::UnixEndpoint{path}).to_socket_address();
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address.storage), address.size), 0);
  std::string said(ManagementServer::start({.listen = {"unix:" + path}}, store_, collector_).status().message());
  EXPECT_THAT(said, HasSubstr("management.listen: "));
  EXPECT_THAT(said, HasSubstr(path));
  EXPECT_THAT(said, HasSubstr("Protocol wrong type for socket"));
  EXPECT_TRUE(std::filesystem::exists(path));
  close(fd);
}

TEST_F(ServiceTest, TcpNeedsInsecureAndLoopback) {
  auto tell = [&](const ServerOptions& options) {
    return std::string(ManagementServer::start(options, store_, collector_).status().message());
  };
  EXPECT_THAT(tell({.listen = {"127.0.0.1:0"}}), HasSubstr("set insecure"));
  EXPECT_THAT(tell({.listen = {"0.0.0.0:0"}, .insecure = true}), HasSubstr("is not a loopback address"));
  auto tcp = ManagementServer::start({.listen = {"127.0.0.1:0"}, .insecure = true}, store_, collector_);
  ASSERT_TRUE(tcp.ok()) << tcp.status();
  EXPECT_THAT((*tcp)->bound().at(0), testing::MatchesRegex("127.0.0.1:[1-9][0-9]*"));
}

TEST_F(ServiceTest, UnaryCallsAnswerWithTheResourceAsItIs) {
  grpc::ClientContext a, b, c, d;
  must(kWeb);
  v1::AddServerResponse added;
  ASSERT_TRUE(stub_
                  ->AddServer(&a,
                              from_text<v1::AddServerRequest>(
                                  R"(server { backend: "web" name: "s2" address: "10.0.0.6:80" weight: 4 })"),
                              &added)
                  .ok());
  EXPECT_GT(added.server().metadata().uid(), 0);
  EXPECT_EQ(added.server().status().lifecycle(), v1::LIFECYCLE_READY);
  EXPECT_EQ(added.server().status().effective_weight(), 4);
  v1::UpdateServerResponse updated;
  ASSERT_TRUE(
      stub_
          ->UpdateServer(&b,
                         from_text<v1::UpdateServerRequest>(
                             R"(server { backend: "web" name: "s2" weight: 9 } update_mask { paths: "weight" })"),
                         &updated)
          .ok());
  EXPECT_EQ(updated.server().weight(), 9);
  EXPECT_EQ(updated.server().metadata().uid(), added.server().metadata().uid());
  v1::GetBackendResponse got;
  ASSERT_TRUE(stub_->GetBackend(&c, from_text<v1::GetBackendRequest>(R"(name: "web")"), &got).ok());
  EXPECT_EQ(got.backend().status().servers(), 2);
  EXPECT_EQ(got.backend().status().eligible(), 2);
  v1::GetServerResponse nobody;
  grpc::Status status = stub_->GetServer(&d, from_text<v1::GetServerRequest>(R"(backend: "web" name: "x")"), &nobody);
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "server web/x: does not exist");
}

TEST_F(ServiceTest, ABackendComesBackFromACallThatNamesItsServers) {
  grpc::ClientContext a, b;
  v1::AddBackendResponse added;
  grpc::Status status = stub_->AddBackend(
      &a, from_text<v1::AddBackendRequest>(R"(backend { name: "app" servers { name: "s1" address: "10.0.0.5:80" } })"),
      &added);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(added.backend().name(), "app");
  EXPECT_EQ(added.backend().status().servers(), 1);
  v1::UpdateBackendResponse updated;
  status = stub_->UpdateBackend(
      &b,
      from_text<v1::UpdateBackendRequest>(R"(backend { name: "app" servers { name: "s1" address: "10.0.0.6:80" } })"),
      &updated);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(updated.backend().metadata().uid(), added.backend().metadata().uid());
  EXPECT_EQ(updated.backend().status().servers(), 1);
}

TEST_F(ServiceTest, InFlightComesFromTheWorkers) {
  must(kWeb);
  observe::ServerStatistics server{.uid = 2, .name = "s1", .counters = {}};
  server.counters.in_flight = 7;
  server.counters.queued = 2;
  observe::Statistics statistics;
  statistics.backends.push_back({.uid = 1, .name = "web", .counters = {}, .servers = {server}});
  collector_.set(statistics);
  grpc::ClientContext context;
  v1::GetServerResponse got;
  ASSERT_TRUE(stub_->GetServer(&context, from_text<v1::GetServerRequest>(R"(backend: "web" name: "s1")"), &got).ok());
  ASSERT_EQ(got.server().metadata().uid(), 2);
  EXPECT_EQ(got.server().status().in_flight(), 7);
  EXPECT_EQ(got.server().status().queued(), 2);
}

TEST_F(ServiceTest, ReadingResourcesAsksTheWorkersForNoMoreThanWhatIsRead) {
  must(kWeb);
  must(
      R"(operations { create { listener { name: "l" bind: "127.0.0.1:0" protocol: PROTOCOL_HTTP default_backend: "web" } } })");
  observe::Statistics statistics;
  statistics.backends.push_back({.uid = 1, .name = "web", .counters = {}, .servers = {{2, "s1", {}}}});
  statistics.backends[0].counters.in_flight = 5;
  statistics.backends[0].counters.queued = 6;
  statistics.backends[0].servers[0].counters.in_flight = 4;
  statistics.listeners.push_back({.uid = 3, .name = "l", .connections = 9});
  collector_.set(statistics);
  grpc::ClientContext a, b, c, d, e, f;
  v1::ListServersResponse servers;
  ASSERT_TRUE(stub_->ListServers(&a, {}, &servers).ok());
  EXPECT_EQ(servers.servers(0).status().in_flight(), 4);
  v1::ListBackendsResponse backends;
  ASSERT_TRUE(stub_->ListBackends(&b, {}, &backends).ok());
  EXPECT_EQ(backends.backends(0).status().in_flight(), 5);
  EXPECT_EQ(backends.backends(0).status().queued(), 6);
  v1::ListListenersResponse listeners;
  ASSERT_TRUE(stub_->ListListeners(&c, {}, &listeners).ok());
  EXPECT_EQ(listeners.listeners(0).status().connections(), 9);
  v1::GetServerResponse server;
  ASSERT_TRUE(stub_->GetServer(&d, from_text<v1::GetServerRequest>(R"(backend: "web" name: "s1")"), &server).ok());
  EXPECT_EQ(server.server().status().in_flight(), 4);
  v1::GetBackendResponse backend;
  ASSERT_TRUE(stub_->GetBackend(&e, from_text<v1::GetBackendRequest>(R"(name: "web")"), &backend).ok());
  EXPECT_EQ(backend.backend().status().in_flight(), 5);
  v1::GetListenerResponse got;
  ASSERT_TRUE(stub_->GetListener(&f, from_text<v1::GetListenerRequest>(R"(name: "l")"), &got).ok());
  EXPECT_EQ(got.listener().status().connections(), 9);
  EXPECT_EQ(collector_.collections(), 0);
}

TEST_F(ServiceTest, DeletingTwiceSucceedsAndSaysSo) {
  must(kWeb);
  for (bool existed : {true, false}) {
    grpc::ClientContext context;
    v1::DeleteServerRequest request = from_text<v1::DeleteServerRequest>(R"(backend: "web" name: "s1" wait: true)");
    v1::DeleteServerResponse response;
    ASSERT_TRUE(stub_->DeleteServer(&context, request, &response).ok());
    EXPECT_EQ(response.existed(), existed);
    EXPECT_EQ(response.version(), 2);
  }
}

TEST_F(ServiceTest, AnExportCanBeFedBack) {
  must(kWeb);
  must(
      R"(operations { create { listener { name: "l" bind: "127.0.0.1:0" protocol: PROTOCOL_HTTP default_backend: "web" } } })");
  v1::Resources before = exported();
  v1::Transaction transaction;
  for (const v1::Operation& operation : api::upserts_of(before)) *transaction.add_operations() = operation;
  v1::TransactionResult result = apply(transaction);
  EXPECT_EQ(result.outcome(), v1::OUTCOME_UNCHANGED) << result.DebugString();
  EXPECT_EQ(exported().DebugString(), before.DebugString());
}

TEST_F(ServiceTest, ALargeExportComesInPartsOfOneVersion) {
  must(R"(operations { create { backend { name: "web" } } })");
  v1::Transaction transaction;
  for (int i = 0; i < 5000; ++i) {
    v1::Server& server = *transaction.add_operations()->mutable_upsert()->mutable_server();
    server.set_backend("web");
    server.set_name(absl::StrCat("s", i));
    server.set_address("10.0.0.1:80");
  }
  EXPECT_EQ(apply(transaction).outcome(), v1::OUTCOME_APPLIED);
  EXPECT_EQ(exported().servers_size(), 5000);
}

TEST_F(ServiceTest, InfoTellsLimitsAndCounts) {
  must(kWeb);
  grpc::ClientContext context;
  v1::GetInfoResponse info;
  ASSERT_TRUE(stub_->GetInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.build(), "test");
  EXPECT_EQ(info.version(), 1);
  EXPECT_EQ(info.servers(), 1);
  EXPECT_EQ(info.limits().operations_per_transaction(), 10'000);
  EXPECT_NE(info.epoch(), 0);
}

// --- StreamUpdates ---

v1::StreamUpdatesRequest message(const std::string& text) { return from_text<v1::StreamUpdatesRequest>(text); }

TEST_F(ServiceTest, ASessionAppliesInOrderAndAnswersInOrder) {
  grpc::ClientContext context;
  auto stream = stub_->StreamUpdates(&context);
  ASSERT_TRUE(stream->Write(message(R"(open { client_name: "test" election_id { low: 1 } server_events: true })")));
  v1::StreamUpdatesResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.opened().epoch(), store_.epoch());
  EXPECT_TRUE(response.opened().primary());
  stream->Write(message(std::string("transaction { id: 1 ") + kWeb + "}"));
  stream->Write(message(R"(transaction { id: 2 operations { delete { listener: "a/b" } } })"));
  stream->Write(message(R"(transaction { id: 2 })"));
  stream->Write(message(R"(transaction { id: 3 operations { delete { server { backend: "web" name: "s1" } } } })"));
  std::vector<uint64_t> refused;
  uint64_t last = 0;
  std::vector<v1::Lifecycle> steps;
  while (steps.size() < 2 && stream->Read(&response)) {
    if (response.has_server_event()) {
      EXPECT_EQ(last, 3) << "an event came before its transaction's result";
      steps.push_back(response.server_event().lifecycle());
      continue;
    }
    EXPECT_GE(response.result().id(), last);
    last = response.result().id();
    if (response.result().outcome() == v1::OUTCOME_REFUSED) refused.push_back(last);
  }
  EXPECT_THAT(refused, testing::ElementsAre(2, 2));
  EXPECT_THAT(steps, testing::ElementsAre(v1::LIFECYCLE_DRAINING, v1::LIFECYCLE_REMOVED));
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServiceTest, AWindowFullOfTransactionsIsAnsweredWhole) {
  must(R"(operations { create { backend { name: "web" } } })");
  grpc::ClientContext context;
  auto stream = stub_->StreamUpdates(&context);
  stream->Write(message(R"(open { client_name: "test" election_id { low: 1 } })"));
  constexpr int kTransactions = 30'000;
  std::thread writer([&] {
    for (int i = 1; i <= kTransactions; ++i) {
      v1::StreamUpdatesRequest request;
      request.mutable_transaction()->set_id(i);
      v1::Server& server = *request.mutable_transaction()->add_operations()->mutable_upsert()->mutable_server();
      server.set_backend("web");
      server.set_name(absl::StrCat("s", i));
      server.set_address("10.0.0.1:80");
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
  });
  v1::StreamUpdatesResponse response;
  uint64_t last = 0;
  while (stream->Read(&response)) {
    if (response.has_result()) last = response.result().id();
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(last, kTransactions);
  EXPECT_EQ(exported().servers_size(), kTransactions);
}

TEST_F(ServiceTest, ABadFirstMessageEndsTheSession) {
  struct Case {
    const char* text;
    StatusCode status;
  };
  for (const Case& bad :
       {Case{"transaction { id: 1 }", StatusCode::INVALID_ARGUMENT}, Case{"open {}", StatusCode::INVALID_ARGUMENT},
        Case{"heartbeat {}", StatusCode::INVALID_ARGUMENT}, Case{"", StatusCode::INVALID_ARGUMENT},
        Case{"begin_resync {}", StatusCode::INVALID_ARGUMENT},
        Case{"open { client_name: \"a\" election_id {} }", StatusCode::INVALID_ARGUMENT}}) {
    grpc::ClientContext context;
    auto stream = stub_->StreamUpdates(&context);
    stream->Write(message(bad.text));
    v1::StreamUpdatesResponse response;
    EXPECT_FALSE(stream->Read(&response)) << bad.text;
    EXPECT_EQ(stream->Finish().error_code(), bad.status) << bad.text;
  }
}

TEST_F(ServiceTest, ALostSessionKeepsWhatItChanged) {
  {
    grpc::ClientContext context;
    auto stream = stub_->StreamUpdates(&context);
    stream->Write(message(R"(open { client_name: "test" election_id { low: 1 } })"));
    stream->Write(message(std::string("transaction { id: 1 ") + kWeb + "}"));
    v1::StreamUpdatesResponse response;
    while (stream->Read(&response) && !response.has_result()) {
    }
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  }
  EXPECT_EQ(exported().servers_size(), 1);
}

// --- WatchEvents ---

TEST_F(ServiceTest, ASnapshotItsMarkerAndWhatFollows) {
  must(kWeb);
  grpc::ClientContext context;
  auto reader = observation_->WatchEvents(&context, from_text<v1::WatchEventsRequest>("snapshot: true"));
  v1::WatchEventsResponse event;
  std::vector<std::string> seen;
  auto next = [&] {
    EXPECT_TRUE(reader->Read(&event));
    if (event.has_snapshot_complete()) return std::string("marker");
    if (event.has_server()) return absl::StrCat("step ", v1::Lifecycle_Name(event.server().lifecycle()));
    const v1::Resource& resource = event.resource().resource();
    return absl::StrCat(v1::Change_Name(event.resource().change()), " ",
                        resource.has_backend() ? resource.backend().name() : resource.server().name());
  };
  EXPECT_EQ(next(), "CHANGE_PRESENT web");
  EXPECT_EQ(next(), "CHANGE_PRESENT s1");
  EXPECT_EQ(next(), "marker");
  must(R"(operations { upsert { server { backend: "web" name: "s2" address: "10.0.0.1:80" } } })");
  EXPECT_EQ(next(), "CHANGE_CREATED s2");
  EXPECT_EQ(event.actor(), "unary");
  EXPECT_EQ(event.version(), 2);
  must(R"(operations { delete { server { backend: "web" name: "s2" } } })");
  EXPECT_EQ(next(), "CHANGE_DELETED s2");
  EXPECT_EQ(next(), "step LIFECYCLE_DRAINING");
  EXPECT_EQ(next(), "step LIFECYCLE_REMOVED");
  context.TryCancel();
  reader->Finish();
}

// --- StreamStatistics ---

TEST_F(ServiceTest, IntervalsHaveNoGapsAndLoseNothing) {
  must(kWeb);
  auto counted = [](uint64_t started) {
    observe::BackendStatistics backend{.uid = 1, .name = "web", .counters = {}, .servers = {}};
    backend.counters.started = started;
    observe::Statistics statistics;
    statistics.backends.push_back(backend);
    return statistics;
  };
  collector_.set(counted(100));
  grpc::ClientContext context;
  auto reader =
      observation_->StreamStatistics(&context, from_text<v1::StreamStatisticsRequest>("interval { nanos: 10000000 }"));
  v1::StreamStatisticsResponse interval;
  ASSERT_TRUE(reader->Read(&interval));
  ASSERT_EQ(interval.backends_size(), 1);
  EXPECT_EQ(interval.backends(0).eligible_servers(), 1);
  EXPECT_EQ(interval.backends(0).counters().started(), 0);
  collector_.set(counted(130));
  uint64_t sum = 0;
  for (int i = 0; i < 20; ++i) {
    std::string end = interval.end().DebugString();
    ASSERT_TRUE(reader->Read(&interval));
    EXPECT_EQ(interval.start().DebugString(), end);
    sum += interval.backends(0).counters().started();
  }
  EXPECT_EQ(sum, 30);
  context.TryCancel();
  reader->Finish();
}

TEST_F(ServiceTest, AnIntervalOutOfRangeIsRefused) {
  for (const char* text :
       {"interval { nanos: 1 }", "interval { seconds: 3601 }", "interval { seconds: -1 }", "interval {}"}) {
    grpc::ClientContext context;
    auto reader = observation_->StreamStatistics(&context, from_text<v1::StreamStatisticsRequest>(text));
    EXPECT_EQ(reader->Finish().error_code(), StatusCode::INVALID_ARGUMENT) << text;
  }
}

// --- shutdown ---

TEST_F(ServiceTest, StoppingEndsStreamsWithUnavailable) {
  half_.hold_drains();
  must(kWeb);
  grpc::ClientContext watching, updating, waiting;
  auto watch = observation_->WatchEvents(&watching, {});
  watch->WaitForInitialMetadata();
  auto session = stub_->StreamUpdates(&updating);
  session->Write(message(R"(open { client_name: "test" election_id { low: 1 } })"));
  v1::StreamUpdatesResponse opened;
  session->Read(&opened);
  grpc::Status deleted;
  std::thread deletion([&] {
    v1::DeleteServerRequest request =
        from_text<v1::DeleteServerRequest>(R"(backend: "web" name: "s1" wait: true fence { override: true })");
    v1::DeleteServerResponse response;
    deleted = stub_->DeleteServer(&waiting, request, &response);
  });
  // Until the deletion is there.
  v1::WatchEventsResponse event;
  ASSERT_TRUE(watch->Read(&event));
  std::thread stopping([&] { server_->stop(); });
  while (watch->Read(&event)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(session->Finish().error_code(), StatusCode::UNAVAILABLE);
  deletion.join();
  EXPECT_EQ(deleted.error_code(), StatusCode::UNAVAILABLE);
  stopping.join();
  half_.finish_drains();
}

}  // namespace
}  // namespace fairlead::management
