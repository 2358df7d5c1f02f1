// The real service on a Unix socket of its own, over a store with a fake reading half.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "api/operation.h"
#include "fairlead/v1/management.grpc.pb.h"
#include "fairlead/v1/observation.grpc.pb.h"
#include "fake_collector.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "management/management_server.h"
#include "spdlog/spdlog.h"
#include "test_support/fake_reading_half.h"
#include "tls/seal.h"

namespace fairlead::management {

template <typename Message>
Message from_text(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// What is accepted is not logged. Before any thread logs: the logger is made when it is first used, by a library that
// the thread sanitizer does not see through.
struct Quiet {
  Quiet() { spdlog::set_level(spdlog::level::warn); }
  ~Quiet() { spdlog::set_level(spdlog::level::info); }
};

class ManagementFixture : public testing::Test {
 protected:
  // `is_durable`: the store has a journal, in state_folder().
  explicit ManagementFixture(bool is_durable = false)
      : owned_store_(is_durable ? open_store(state_folder(), half_) : std::make_unique<store::Store>(half_)) {}

  void SetUp() override { start(); }
  void TearDown() override {
    if (server_) server_->stop();
    store_.stop();
    std::filesystem::remove_all(folder_);
  }
  void start(uint32_t sessions_max = 1024, std::chrono::nanoseconds silence = std::chrono::seconds(60)) {
    auto started = ManagementServer::start(
        {.listen = {address_}, .build = "test", .workers = 2, .sessions_max = sessions_max, .silence = silence}, store_,
        collector_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    // Each test's server is another one at another path; no channel is shared.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(server_->bound().at(0), grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::ManagementService::NewStub(channel_);
    observation_ = v1::ObservationService::NewStub(channel_);
  }

  v1::TransactionResult apply(const v1::Transaction& transaction) {
    grpc::ClientContext context;
    v1::ApplyTransactionRequest request;
    *request.mutable_transaction() = transaction;
    v1::ApplyTransactionResponse response;
    grpc::Status status = stub_->ApplyTransaction(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.result();
  }
  v1::TransactionResult apply(const std::string& text) { return apply(from_text<v1::Transaction>(text)); }
  void must(const std::string& text) {
    v1::TransactionResult result = apply(text);
    EXPECT_EQ(result.failures_total(), 0) << result.DebugString();
  }
  v1::GetInfoResponse info() {
    grpc::ClientContext context;
    v1::GetInfoResponse response;
    EXPECT_TRUE(stub_->GetInfo(&context, {}, &response).ok());
    return response;
  }
  // Everything, as text, with versions and uids: equal before and after a refusal.
  std::string state() {
    grpc::ClientContext context;
    auto reader = stub_->ExportConfig(&context, {});
    v1::ExportConfigResponse part;
    std::string text;
    while (reader->Read(&part)) text += part.DebugString();
    EXPECT_TRUE(reader->Finish().ok());
    return text;
  }
  v1::Resources exported() {
    grpc::ClientContext context;
    auto reader = stub_->ExportConfig(&context, {});
    v1::ExportConfigResponse part;
    v1::Resources all;
    while (reader->Read(&part)) all.MergeFrom(part.resources());
    EXPECT_TRUE(reader->Finish().ok());
    return all;
  }

  // What `look` finds at another data plane over this store, which it talks to as if it was ours.
  template <typename Look>
  void at_another(store::Store& store, Look look) {
    FakeCollector collector;
    std::string address = "unix:" + folder_ + "/other.sock";
    auto server = ManagementServer::start({.listen = {address}, .build = "test", .workers = 2}, store, collector);
    ASSERT_TRUE(server.ok()) << server.status();
    {
      grpc::ChannelArguments arguments;
      arguments.SetMaxReceiveMessageSize(-1);
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      auto stub = v1::ManagementService::NewStub(
          grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
      std::unique_ptr<v1::ManagementService::Stub> ours = std::exchange(stub_, std::move(stub));
      look();
      stub_ = std::move(ours);
    }
    (*server)->stop();
    store.stop();
  }
  // The same of one that begins with a copy of what is on disk: look(its reading half).
  template <typename Look>
  void at_restarted(Look look) {
    const std::string copy = folder_ + "/copy";
    std::filesystem::create_directory(copy);
    for (const auto& file : std::filesystem::directory_iterator(state_folder())) {
      // The log's index belongs to who has it open.
      if (!file.path().native().ends_with("-shm")) std::filesystem::copy(file, copy);
    }
    {
      test_support::FakeReadingHalf half;
      std::unique_ptr<store::Store> store = open_store(copy, half);
      at_another(*store, [&] { look(half); });
    }
    std::filesystem::remove_all(copy);
  }

  static std::string make_folder() {
    char pattern[] = "/tmp/fairlead-test-XXXXXX";
    return mkdtemp(pattern);
  }
  std::string state_folder() const {
    std::string folder = folder_ + "/state";
    std::filesystem::create_directories(folder);
    return folder;
  }
  static std::unique_ptr<store::Store> open_store(const std::string& folder, store::ReadingHalf& half) {
    auto journal = journal::Journal::open({.directory = folder});
    auto seal = std::make_shared<const tls::Seal>(std::array<unsigned char, 32>{1});
    auto opened = journal.ok() ? store::Store::open(half, {}, *std::move(journal), {}, seal) : journal.status();
    if (!opened.ok()) throw std::runtime_error(opened.status().ToString());
    return *std::move(opened);
  }

  const std::string folder_ = make_folder();
  const std::string address_ = "unix:" + folder_ + "/management.sock";
  test_support::FakeReadingHalf half_;
  FakeCollector collector_;
  const std::unique_ptr<store::Store> owned_store_;
  store::Store& store_ = *owned_store_;
  std::unique_ptr<ManagementServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ManagementService::Stub> stub_;
  std::unique_ptr<v1::ObservationService::Stub> observation_;
};

}  // namespace fairlead::management
