#include "expecting_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace fairlead::management {
namespace {

v1::Fence overriding() {
  v1::Fence fence;
  fence.set_override(true);
  return fence;
}

}  // namespace

void expect_result(const v1::TransactionResult& result, const Expected& expected, bool each) {
  EXPECT_EQ(v1::Outcome_Name(result.outcome()), v1::Outcome_Name(expected.outcome)) << result.DebugString();
  if (each || expected.failures.empty()) {
    EXPECT_EQ(result.failures_total(), expected.failures.size()) << result.DebugString();
  }
  ASSERT_EQ(result.failures().empty(), expected.failures.empty()) << result.DebugString();
  for (int i = 0; i < result.failures_size(); ++i) {
    const v1::OperationFailure& failure = result.failures(i);
    auto index = failure.has_index() ? std::optional(failure.index()) : std::nullopt;
    // Of a transaction that is refused whole, some are told: those that are malformed, else the first.
    auto wanted =
        each ? expected.failures.begin() + i : std::ranges::find(expected.failures, index, &ExpectedFailure::index);
    ASSERT_NE(wanted, expected.failures.end()) << failure.DebugString();
    EXPECT_EQ(index, wanted->index) << failure.DebugString();
    EXPECT_TRUE(wanted->reasons.contains(failure.reason()))
        << failure.DebugString() << "instead of " << v1::Reason_Name(*wanted->reasons.begin());
    EXPECT_NE(failure.message(), "");
  }
}

ExpectingSession::ExpectingSession(v1::ManagementService::Stub& stub, const std::string& name, uint64_t election)
    : stream_(stub.StreamUpdates(&context_)), election_(election) {
  v1::StreamUpdatesRequest open;
  open.mutable_open()->set_client_name(name);
  if (election > 0) open.mutable_open()->mutable_election_id()->set_low(election);
  stream_->Write(open);
  v1::StreamUpdatesResponse response;
  EXPECT_TRUE(stream_->Read(&response) && response.has_opened());
  opened_ = response.opened();
}

ExpectingSession::~ExpectingSession() {
  if (!ended_) context_.TryCancel();
  if (!ended_) stream_->Finish();
}

void ExpectingSession::add(v1::Transaction transaction, const Expected& expected) {
  transaction.set_id(++last_id_);
  v1::StreamUpdatesRequest request;
  *request.mutable_transaction() = std::move(transaction);
  burst_.push_back(std::move(request));
  expected_.push_back(expected);
}

void ExpectingSession::begin_resync(const Expected& expected) {
  v1::StreamUpdatesRequest request;
  request.mutable_begin_resync()->set_id(++last_id_);
  burst_.push_back(std::move(request));
  expected_.push_back(expected);
}

void ExpectingSession::end_resync(bool cancel, const Expected& expected) {
  v1::StreamUpdatesRequest request;
  request.mutable_end_resync()->set_id(++last_id_);
  request.mutable_end_resync()->set_max_removal_percent(100);
  request.mutable_end_resync()->set_cancel(cancel);
  burst_.push_back(std::move(request));
  expected_.push_back(expected);
}

void ExpectingSession::run(bool versions) {
  uint64_t first = last_id_ + 1 - burst_.size();
  std::jthread writing([&] {
    for (const v1::StreamUpdatesRequest& request : burst_) stream_->Write(request);
  });
  for (uint64_t next = first; next <= last_id_;) next = take_answer(first, next, versions);
  writing.join();
  burst_.clear();
  expected_.clear();
}

void ExpectingSession::end() {
  stream_->WritesDone();
  v1::StreamUpdatesResponse response;
  EXPECT_FALSE(stream_->Read(&response)) << response.DebugString();
  EXPECT_TRUE(stream_->Finish().ok());
  ended_ = true;
}

uint64_t ExpectingSession::take_answer(uint64_t first, uint64_t next, bool versions) {
  v1::StreamUpdatesResponse response;
  if (!stream_->Read(&response)) {
    ADD_FAILURE() << "the stream ended before transaction " << next << " was answered";
    return last_id_ + 1;
  }
  if (!response.has_result()) return next;
  const v1::TransactionResult& result = response.result();
  EXPECT_TRUE(result.id() >= next && result.id() <= last_id_) << result.DebugString();
  for (uint64_t id = next; id < result.id() && id <= last_id_; ++id) {
    EXPECT_TRUE(expected_.at(id - first).failures.empty()) << id << " was left out";
  }
  uint64_t at = std::min(std::max(result.id(), next), last_id_) - first;
  SCOPED_TRACE(burst_.at(at).ShortDebugString());
  bool each = burst_[at].transaction().atomicity() == v1::ATOMICITY_EACH;
  expect_result(result, expected_[at], each);
  if (versions) {
    EXPECT_EQ(result.version(), expected_[at].version);
  }
  EXPECT_GE(result.version(), version_);
  version_ = result.version();
  return result.id() + 1;
}

v1::Transaction single(v1::Operation operation) {
  v1::Transaction transaction;
  *transaction.add_operations() = std::move(operation);
  return transaction;
}

v1::Transaction rebuilding(const v1::Resources& resources) {
  v1::Transaction transaction;
  for (const v1::Backend& backend : resources.backends()) {
    *transaction.add_operations()->mutable_upsert()->mutable_backend() = backend;
  }
  for (const v1::Server& server : resources.servers()) {
    *transaction.add_operations()->mutable_upsert()->mutable_server() = server;
  }
  for (const v1::Listener& listener : resources.listeners()) {
    *transaction.add_operations()->mutable_upsert()->mutable_listener() = listener;
  }
  return transaction;
}

v1::TransactionResult call(v1::ManagementService::Stub& stub, const v1::Transaction& transaction) {
  grpc::ClientContext context;
  v1::ApplyTransactionRequest request;
  *request.mutable_transaction() = transaction;
  *request.mutable_fence() = overriding();
  v1::ApplyTransactionResponse response;
  grpc::Status status = stub.ApplyTransaction(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.result();
}

std::optional<grpc::Status> call(v1::ManagementService::Stub& stub, const v1::Operation& operation) {
  grpc::ClientContext context;
  auto add = [&](const v1::Resource& resource) {
    if (resource.has_listener()) {
      v1::AddListenerRequest request;
      *request.mutable_fence() = overriding();
      *request.mutable_listener() = resource.listener();
      v1::AddListenerResponse response;
      return stub.AddListener(&context, request, &response);
    }
    if (resource.has_backend()) {
      v1::AddBackendRequest request;
      *request.mutable_fence() = overriding();
      *request.mutable_backend() = resource.backend();
      v1::AddBackendResponse response;
      return stub.AddBackend(&context, request, &response);
    }
    v1::AddServerRequest request;
    *request.mutable_fence() = overriding();
    *request.mutable_server() = resource.server();
    v1::AddServerResponse response;
    return stub.AddServer(&context, request, &response);
  };
  auto update = [&](const v1::Resource& resource, const google::protobuf::FieldMask& mask) {
    if (resource.has_listener()) {
      v1::UpdateListenerRequest request;
      *request.mutable_fence() = overriding();
      *request.mutable_listener() = resource.listener();
      *request.mutable_update_mask() = mask;
      v1::UpdateListenerResponse response;
      return stub.UpdateListener(&context, request, &response);
    }
    if (resource.has_backend()) {
      v1::UpdateBackendRequest request;
      *request.mutable_fence() = overriding();
      *request.mutable_backend() = resource.backend();
      *request.mutable_update_mask() = mask;
      v1::UpdateBackendResponse response;
      return stub.UpdateBackend(&context, request, &response);
    }
    v1::UpdateServerRequest request;
    *request.mutable_fence() = overriding();
    *request.mutable_server() = resource.server();
    *request.mutable_update_mask() = mask;
    v1::UpdateServerResponse response;
    return stub.UpdateServer(&context, request, &response);
  };
  auto remove = [&](const v1::Delete& what) {
    if (what.has_listener()) {
      v1::DeleteListenerRequest request;
      *request.mutable_fence() = overriding();
      request.set_name(what.listener());
      v1::DeleteListenerResponse response;
      return stub.DeleteListener(&context, request, &response);
    }
    if (what.has_backend()) {
      v1::DeleteBackendRequest request;
      *request.mutable_fence() = overriding();
      request.set_name(what.backend());
      *request.mutable_drain() = what.drain();
      v1::DeleteBackendResponse response;
      return stub.DeleteBackend(&context, request, &response);
    }
    v1::DeleteServerRequest request;
    *request.mutable_fence() = overriding();
    request.set_backend(what.server().backend());
    request.set_name(what.server().name());
    *request.mutable_drain() = what.drain();
    v1::DeleteServerResponse response;
    return stub.DeleteServer(&context, request, &response);
  };
  if (operation.has_create()) return add(operation.create());
  if (operation.has_replace()) return update(operation.replace(), {});
  if (operation.has_patch()) return update(operation.patch().resource(), operation.patch().update_mask());
  if (operation.has_delete_()) return remove(operation.delete_());
  return std::nullopt;
}

grpc::StatusCode status_of(v1::Reason reason) {
  switch (reason) {
    case v1::REASON_NOT_FOUND:
      return grpc::StatusCode::NOT_FOUND;
    case v1::REASON_ALREADY_EXISTS:
      return grpc::StatusCode::ALREADY_EXISTS;
    case v1::REASON_IN_USE:
    case v1::REASON_BIND_FAILED:
      return grpc::StatusCode::FAILED_PRECONDITION;
    default:
      return grpc::StatusCode::INVALID_ARGUMENT;
  }
}

}  // namespace fairlead::management
