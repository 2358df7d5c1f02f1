// fairleadctl as a whole, with a fake data plane behind it.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ctl/kinds.h"
#include "ctl/program.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"

namespace fairlead::ctl {

// Answers with what the test lays down, and remembers what it was asked.
class FakeDataPlane final : public v1::ManagementService::Service {
 public:
  grpc::Status AddServer(grpc::ServerContext*, const v1::AddServerRequest* request,
                         v1::AddServerResponse* response) override {
    added = request->server();
    if (!status.ok()) return status;
    *response->mutable_server() = request->server();
    response->mutable_server()->mutable_metadata()->set_version(7);
    return grpc::Status::OK;
  }
  grpc::Status UpdateServer(grpc::ServerContext*, const v1::UpdateServerRequest* request,
                            v1::UpdateServerResponse* response) override {
    updated = *request;
    *response->mutable_server() = request->server();
    return status;
  }
  grpc::Status GetServer(grpc::ServerContext*, const v1::GetServerRequest* request,
                         v1::GetServerResponse* response) override {
    response->mutable_server()->set_backend(request->backend());
    response->mutable_server()->set_name(request->name());
    response->mutable_server()->mutable_status()->set_lifecycle(lifecycle);
    response->mutable_server()->mutable_status()->set_in_flight(3);
    return status;
  }
  // Two pages of one server each.
  grpc::Status ListServers(grpc::ServerContext*, const v1::ListServersRequest* request,
                           v1::ListServersResponse* response) override {
    listed = *request;
    if (!request->backend().empty() && !has_backend(request->backend())) return grpc::Status::OK;
    const bool first = request->page_token().empty();
    response->add_servers()->set_name(first ? "s1" : "s2");
    if (first) response->set_next_page_token("more");
    response->set_version(9);
    return status;
  }
  grpc::Status GetBackend(grpc::ServerContext*, const v1::GetBackendRequest* request,
                          v1::GetBackendResponse* response) override {
    if (!has_backend(request->name())) {
      return {grpc::StatusCode::NOT_FOUND, "backend " + request->name() + ": does not exist"};
    }
    response->mutable_backend()->set_name(request->name());
    return grpc::Status::OK;
  }
  grpc::Status ExportConfig(grpc::ServerContext*, const v1::ExportConfigRequest*,
                            grpc::ServerWriter<v1::ExportConfigResponse>* writer) override {
    v1::ExportConfigResponse part;
    part.set_version(4);
    part.mutable_resources()->add_backends()->set_name("app");
    writer->Write(part);
    return grpc::Status::OK;
  }
  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest*,
                       v1::GetInfoResponse* response) override {
    while (is_silent && !context->IsCancelled()) std::this_thread::yield();
    response->mutable_limits()->set_operations_per_transaction(operations_per_transaction);
    response->mutable_limits()->set_message_bytes(4u << 20);
    return grpc::Status::OK;
  }
  grpc::Status ApplyTransaction(grpc::ServerContext*, const v1::ApplyTransactionRequest* request,
                                v1::ApplyTransactionResponse* response) override {
    applied.push_back(request->transaction());
    *response->mutable_result() = results.empty() ? result : results.front();
    if (!results.empty()) results.pop_front();
    return status;
  }

  // Pages of two, of the entries that are laid down.
  grpc::Status ListHistory(grpc::ServerContext*, const v1::ListHistoryRequest* request,
                           v1::ListHistoryResponse* response) override {
    int first = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    int end = std::min({history.entries_size(), first + 2, first + request->page_size()});
    for (int i = first; i < end; ++i) *response->add_entries() = history.entries(i);
    if (end < history.entries_size()) response->set_next_page_token(std::to_string(end));
    response->set_oldest_version(history.oldest_version());
    return status;
  }
  grpc::Status DiffVersions(grpc::ServerContext*, const v1::DiffVersionsRequest* request,
                            grpc::ServerWriter<v1::DiffVersionsResponse>* writer) override {
    compared = *request;
    for (const v1::ResourceDifference& one : differences.differences()) {
      v1::DiffVersionsResponse part;
      *part.add_differences() = one;
      writer->Write(part);
    }
    return status;
  }
  grpc::Status Rollback(grpc::ServerContext*, const v1::RollbackRequest* request,
                        v1::RollbackResponse* response) override {
    rolled_back = *request;
    *response->mutable_result() = result;
    response->set_changes_total(2);
    return status;
  }

  bool has_backend(const std::string& name) const { return !backends.empty() ? backends.contains(name) : true; }

  // As a process that is stopped.
  bool is_silent = false;
  // Empty: any.
  std::set<std::string> backends;
  grpc::Status status;
  v1::Lifecycle lifecycle = v1::LIFECYCLE_DRAINED;
  std::uint32_t operations_per_transaction = 10'000;
  // The answers to transactions in their order, then `result`.
  std::deque<v1::TransactionResult> results;
  v1::TransactionResult result;
  v1::Server added;
  v1::UpdateServerRequest updated;
  v1::ListServersRequest listed;
  std::vector<v1::Transaction> applied;
  v1::ListHistoryResponse history;
  v1::DiffVersionsResponse differences;
  v1::DiffVersionsRequest compared;
  v1::RollbackRequest rolled_back;
};

// Refuses to be watched.
class FakeObservation final : public v1::ObservationService::Service {
 public:
  grpc::Status StreamStatistics(grpc::ServerContext*, const v1::StreamStatisticsRequest*,
                                grpc::ServerWriter<v1::StreamStatisticsResponse>*) override {
    return status;
  }

  grpc::Status status;
};

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&data_plane_);
    builder.RegisterService(&observation_);
    server_ = builder.BuildAndStart();
  }
  ~ProgramTest() override { server_->Shutdown(); }

  int ctl(const std::vector<std::string>& words) {
    out_.str("");
    err_.str("");
    Streams streams{out_, err_, false, false};
    const Environment environment{.address = "",
                                  .version = "1.2.3",
                                  .connect = [this](const std::string& address, const std::optional<TlsFiles>& tls) {
                                    address_ = address;
                                    tls_ = tls;
                                    return server_->InProcessChannel(channel_arguments());
                                  }};
    return run(words, environment, streams);
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  FakeDataPlane data_plane_;
  FakeObservation observation_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::optional<TlsFiles> tls_;
  std::ostringstream out_;
  std::ostringstream err_;
};

}  // namespace fairlead::ctl
