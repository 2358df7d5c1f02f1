#include "updates/session.h"

#include "fmt/format.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

namespace fairlead::updates {

Session::Session(const std::string& management)
    : stub_(v1::ManagementService::NewStub(grpc::CreateChannel(management, grpc::InsecureChannelCredentials()))) {}

Session::~Session() {
  context_.TryCancel();
  if (reader_.joinable()) reader_.join();
}

absl::Status Session::open(const std::string& client_name, uint64_t election_id) {
  stream_ = stub_->StreamUpdates(&context_);
  reader_ = std::thread([this] { read(); });
  v1::StreamUpdatesRequest request;
  request.mutable_open()->set_client_name(client_name);
  if (election_id != 0) request.mutable_open()->mutable_election_id()->set_low(election_id);
  if (!stream_->Write(request)) return ended_status();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return opened_ || ended_; });
  return ended_ ? failure_ : absl::OkStatus();
}

absl::Status Session::send(v1::StreamUpdatesRequest& request, uint64_t operations) {
  uint64_t id = ++last_id_;
  if (request.has_transaction()) request.mutable_transaction()->set_id(id);
  if (request.has_begin_resync()) request.mutable_begin_resync()->set_id(id);
  if (request.has_end_resync()) request.mutable_end_resync()->set_id(id);
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return unanswered_ == 0 || unanswered_ + operations <= window_ || ended_; });
    if (ended_) return failure_;
    unanswered_ += operations;
    sent_.push_back({id, operations, Clock::now()});
  }
  return stream_->Write(request) ? absl::OkStatus() : ended_status();
}

absl::Status Session::await_answers() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return unanswered_ == 0 || ended_; });
  return failure_;
}

uint64_t Session::version() {
  std::lock_guard lock(mutex_);
  return version_;
}

uint64_t Session::answered() {
  std::lock_guard lock(mutex_);
  return answered_;
}

generator::LatencyHistogram Session::latencies() {
  std::lock_guard lock(mutex_);
  return latencies_;
}

void Session::read() {
  v1::StreamUpdatesResponse response;
  while (stream_->Read(&response)) {
    std::lock_guard lock(mutex_);
    if (response.has_opened()) {
      opened_ = true;
      window_ = response.opened().limits().unanswered_operations();
      version_ = response.opened().version();
    }
    if (response.has_result()) on_result(response.result());
    changed_.notify_all();
  }
  grpc::Status status = stream_->Finish();
  std::lock_guard lock(mutex_);
  ended_ = true;
  if (failure_.ok()) failure_ = absl::UnavailableError("the session ended: " + status.error_message());
  changed_.notify_all();
}

// An answer stands for those before it as well.
void Session::on_result(const v1::TransactionResult& result) {
  Clock::time_point now = Clock::now();
  version_ = result.version();
  while (!sent_.empty() && sent_.front().id <= result.id()) {
    latencies_.record(now - sent_.front().time);
    unanswered_ -= sent_.front().operations;
    answered_ += sent_.front().operations;
    sent_.pop_front();
  }
  if (result.failures_total() == 0 || !failure_.ok()) return;
  const v1::OperationFailure& first = result.failures(0);
  failure_ = absl::FailedPreconditionError(fmt::format("transaction {}: {} of its operations failed, the first: {} {}",
                                                       result.id(), result.failures_total(), first.resource(),
                                                       first.message()));
  ended_ = true;
}

absl::Status Session::ended_status() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_; });
  return failure_;
}

}  // namespace fairlead::updates
