#include "fake_dataplane.h"

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace fairlead::session {

namespace api = fairlead::v1;

FakeDataplane::FakeDataplane() {
  std::string folder = (std::filesystem::temp_directory_path() / "session-XXXXXX").string();
  folder_ = mkdtemp(folder.data());
  address_ = absl::StrCat("unix:", folder_, "/socket");
  start();
}

FakeDataplane::~FakeDataplane() {
  stop();
  std::filesystem::remove_all(folder_);
}

void FakeDataplane::start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

void FakeDataplane::stop() {
  hang(false);
  if (server_ != nullptr) server_->Shutdown(absl::ToChronoTime(absl::Now()));
  server_.reset();
}

void FakeDataplane::forget_everything() {
  threads::Monitor::Lock lock(mutex_);
  servers_.clear();
  version_ = 1;
  ++epoch_;
}

void FakeDataplane::add(const api::Server& server) {
  threads::Monitor::Lock lock(mutex_);
  servers_[server.name()] = server;
}

void FakeDataplane::answer_every(int transactions) {
  threads::Monitor::Lock lock(mutex_);
  answer_every_ = transactions;
}

void FakeDataplane::refuse_all(api::Reason reason) {
  threads::Monitor::Lock lock(mutex_);
  refuse_ = reason;
}

void FakeDataplane::hang(bool listings) {
  threads::Monitor::Lock lock(mutex_);
  listings_hang_ = listings;
}

std::vector<api::Transaction> FakeDataplane::transactions() {
  threads::Monitor::Lock lock(mutex_);
  return transactions_;
}

std::vector<api::Open> FakeDataplane::opens() {
  threads::Monitor::Lock lock(mutex_);
  return opens_;
}

int FakeDataplane::listings() {
  threads::Monitor::Lock lock(mutex_);
  return listings_;
}

void FakeDataplane::send(const api::StreamUpdatesResponse& response) {
  threads::Monitor::Lock lock(mutex_);
  if (open_ != nullptr) open_->Write(response);
}

grpc::Status FakeDataplane::StreamUpdates(grpc::ServerContext*, Stream* stream) {
  api::StreamUpdatesRequest request;
  while (stream->Read(&request)) {
    threads::Monitor::Lock lock(mutex_);
    handle(request, *stream);
  }
  threads::Monitor::Lock lock(mutex_);
  if (open_ == stream) open_ = nullptr;
  return grpc::Status::OK;
}

void FakeDataplane::handle(const api::StreamUpdatesRequest& request, Stream& stream) {
  api::StreamUpdatesResponse response;
  if (request.has_open()) {
    opens_.push_back(request.open());
    open_ = &stream;
    response.mutable_opened()->set_epoch(epoch_);
    response.mutable_opened()->set_version(version_);
    stream.Write(response);
  }
  if (!request.has_transaction()) return;
  transactions_.push_back(request.transaction());
  *response.mutable_result() = apply(request.transaction());
  if (transactions_.size() % static_cast<std::size_t>(answer_every_) == 0) stream.Write(response);
}

api::TransactionResult FakeDataplane::apply(const api::Transaction& transaction) {
  api::TransactionResult result;
  result.set_id(transaction.id());
  const api::Operation& operation = transaction.operations(0);
  if (refuse_ != api::REASON_UNSPECIFIED) {
    result.set_outcome(api::OUTCOME_REFUSED);
    result.set_version(version_);
    result.add_failures()->set_reason(refuse_);
    result.mutable_failures(0)->set_message("not today");
    return result;
  }
  bool changed = true;
  if (operation.has_upsert()) servers_[operation.upsert().server().name()] = operation.upsert().server();
  if (operation.has_delete_()) changed = servers_.erase(operation.delete_().server().name()) > 0;
  result.set_outcome(changed ? api::OUTCOME_APPLIED : api::OUTCOME_UNCHANGED);
  result.set_version(changed ? ++version_ : version_);
  return result;
}

grpc::Status FakeDataplane::ListServers(grpc::ServerContext*, const api::ListServersRequest* request,
                                        api::ListServersResponse* response) {
  threads::Monitor::Lock lock(mutex_);
  ++listings_;
  const auto answers = [this] { return !listings_hang_; };
  lock.wait_until(absl::InfiniteFuture(), answers);
  // Pages of two, whatever is asked for.
  auto next = servers_.upper_bound(request->page_token());
  for (; next != servers_.end() && response->servers_size() < 2; ++next) {
    const auto label = next->second.labels().find("managed-by");
    const bool asked = label != next->second.labels().end() && label->second == request->labels().at("managed-by");
    if (asked) *response->add_servers() = next->second;
  }
  if (next != servers_.end()) response->set_next_page_token(std::prev(next)->first);
  response->set_version(version_);
  return grpc::Status::OK;
}

}  // namespace fairlead::session
