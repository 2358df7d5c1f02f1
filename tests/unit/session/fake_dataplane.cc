#include "fake_dataplane.h"

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <filesystem>
#include <utility>

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
  last_id_ = 0;
  highest_.Clear();
  primary_ = nullptr;
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

void FakeDataplane::limit(const api::Limits& limits) {
  threads::Monitor::Lock lock(mutex_);
  limits_ = limits;
}

void FakeDataplane::hold_results(bool hold) {
  threads::Monitor::Lock lock(mutex_);
  results_held_ = hold;
  for (const api::TransactionResult& result : std::exchange(held_, {})) answer(result, *open_);
}

void FakeDataplane::be_silent() {
  threads::Monitor::Lock lock(mutex_);
  silent_ = true;
}

void FakeDataplane::used_ids_up_to(std::uint64_t id) {
  threads::Monitor::Lock lock(mutex_);
  last_id_ = id;
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

int FakeDataplane::heartbeats() {
  threads::Monitor::Lock lock(mutex_);
  return heartbeats_;
}

std::vector<std::string> FakeDataplane::servers() {
  threads::Monitor::Lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, server] : servers_) names.push_back(name);
  return names;
}

void FakeDataplane::send(const api::StreamUpdatesResponse& response) {
  threads::Monitor::Lock lock(mutex_);
  if (open_ != nullptr) open_->Write(response);
}

grpc::Status FakeDataplane::StreamUpdates(grpc::ServerContext*, Stream* stream) {
  api::StreamUpdatesRequest request;
  while (stream->Read(&request)) {
    {
      threads::Monitor::Lock lock(mutex_);
      handle(request, *stream);
    }
    threads::Monitor::Lock lock(watched_);
  }
  threads::Monitor::Lock lock(mutex_);
  if (open_ == stream) open_ = nullptr;
  if (primary_ == stream) primary_ = nullptr;
  return grpc::Status::OK;
}

void FakeDataplane::handle(const api::StreamUpdatesRequest& request, Stream& stream) {
  if (request.has_open()) return open(request.open(), stream);
  if (request.has_heartbeat()) {
    ++heartbeats_;
    api::StreamUpdatesResponse response;
    response.mutable_heartbeat()->set_version(version_);
    if (!silent_) stream.Write(response);
    return;
  }
  if (request.has_transaction()) transactions_.push_back(request.transaction());
  const api::TransactionResult result = result_of(request, stream);
  if (results_held_) return held_.push_back(result);
  const bool due = !request.has_transaction() || transactions_.size() % static_cast<std::size_t>(answer_every_) == 0;
  if (due) answer(result, stream);
}

void FakeDataplane::open(const api::Open& request, Stream& stream) {
  opens_.push_back(request);
  open_ = &stream;
  const api::ElectionId& id = request.election_id();
  const bool highest = std::pair(id.high(), id.low()) >= std::pair(highest_.high(), highest_.low());
  if (highest && request.has_election_id()) {
    highest_ = id;
    primary_ = &stream;
  }
  api::StreamUpdatesResponse response;
  api::Opened& opened = *response.mutable_opened();
  opened.set_epoch(epoch_);
  opened.set_version(version_);
  *opened.mutable_limits() = limits_;
  *opened.mutable_highest_election_id() = highest_;
  opened.set_primary(primary_ == &stream);
  opened.set_last_transaction_id(last_id_);
  stream.Write(response);
}

api::TransactionResult FakeDataplane::result_of(const api::StreamUpdatesRequest& request, Stream& stream) {
  api::TransactionResult result;
  result.set_id(request.has_transaction()    ? request.transaction().id()
                : request.has_begin_resync() ? request.begin_resync().id()
                                             : request.end_resync().id());
  const auto refuse = [&](api::Reason reason, const char* why) {
    result.set_outcome(api::OUTCOME_REFUSED);
    result.set_version(version_);
    result.add_failures()->set_reason(reason);
    result.mutable_failures(0)->set_message(why);
    return result;
  };
  if (result.id() <= last_id_) return refuse(api::REASON_INVALID, "the id does not grow");
  last_id_ = result.id();
  if (&stream != primary_) return refuse(api::REASON_NOT_PRIMARY, "another control plane is primary");
  if (request.has_transaction()) return apply(request.transaction());
  if (request.has_begin_resync() == resync_.has_value()) return refuse(api::REASON_NO_RESYNC, "no resync or two");
  if (request.has_end_resync()) return end_resync(request.end_resync());
  resync_ = request.begin_resync().backend();
  named_.clear();
  result.set_outcome(api::OUTCOME_UNCHANGED);
  result.set_version(version_);
  return result;
}

api::TransactionResult FakeDataplane::end_resync(const api::EndResync& request) {
  const auto goes = [this](const auto& server) {
    return (resync_->empty() || server.second.backend() == *resync_) && !named_.contains(server.first);
  };
  const bool changed = !request.cancel() && std::erase_if(servers_, goes) > 0;
  resync_.reset();
  api::TransactionResult result;
  result.set_id(request.id());
  result.set_outcome(changed ? api::OUTCOME_APPLIED : api::OUTCOME_UNCHANGED);
  result.set_version(changed ? ++version_ : version_);
  return result;
}

void FakeDataplane::answer(const api::TransactionResult& result, Stream& stream) {
  api::StreamUpdatesResponse response;
  *response.mutable_result() = result;
  stream.Write(response);
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
  if (operation.has_upsert()) {
    named_.insert(operation.upsert().server().name());
    servers_[operation.upsert().server().name()] = operation.upsert().server();
  }
  if (operation.has_delete_()) changed = servers_.erase(operation.delete_().server().name()) > 0;
  result.set_outcome(changed ? api::OUTCOME_APPLIED : api::OUTCOME_UNCHANGED);
  result.set_version(changed ? ++version_ : version_);
  return result;
}

grpc::Status FakeDataplane::ListServers(grpc::ServerContext*, const api::ListServersRequest* request,
                                        api::ListServersResponse* response) {
  {
    threads::Monitor::Lock lock(mutex_);
    ++listings_;
  }
  {
    threads::Monitor::Lock lock(watched_);
  }
  threads::Monitor::Lock lock(mutex_);
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

grpc::Status FakeDataplane::GetInfo(grpc::ServerContext*, const api::GetInfoRequest*, api::GetInfoResponse* response) {
  threads::Monitor::Lock lock(mutex_);
  *response->mutable_highest_election_id() = highest_;
  return grpc::Status::OK;
}

}  // namespace fairlead::session
