#include "churn/churn.h"

#include <thread>
#include <utility>

#include "fmt/format.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

namespace fairlead::churn {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kCallTimeout = std::chrono::seconds(10);

// 127.1.0.0 and on: an address for each number, all of this machine.
std::string address_of(uint32_t number, uint16_t port) {
  uint32_t host = (1U << 16) + number;
  return fmt::format("127.{}.{}.{}:{}", host >> 16 & 0xff, host >> 8 & 0xff, host & 0xff, port);
}

absl::Status failed(std::string_view call, const std::string& server, const grpc::Status& status) {
  return absl::UnavailableError(fmt::format("{} {}: {}", call, server, status.error_message()));
}

}  // namespace

Churn::Churn(Settings settings)
    : settings_(std::move(settings)),
      stub_(v1::ManagementService::NewStub(
          grpc::CreateChannel(settings_.management, grpc::InsecureChannelCredentials()))),
      random_(settings_.seed) {}

absl::Status Churn::run() {
  started_ = Clock::now();
  for (uint32_t number = 0; number < settings_.servers; ++number) {
    if (absl::Status status = add(number); !status.ok()) return status;
    if (present_.size() <= settings_.window) continue;
    if (absl::Status status = remove_one(); !status.ok()) return status;
  }
  while (!present_.empty()) {
    if (absl::Status status = remove_one(); !status.ok()) return status;
  }
  seconds_ = std::chrono::duration<double>(Clock::now() - started_).count();
  return absl::OkStatus();
}

absl::Status Churn::add(uint32_t number) {
  pace();
  v1::AddServerRequest request;
  request.mutable_fence()->set_override(true);
  v1::Server& server = *request.mutable_server();
  server.set_backend(settings_.backend);
  server.set_name(fmt::format("churn-{}", number));
  server.set_address(address_of(number, settings_.ports[number % settings_.ports.size()]));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  v1::AddServerResponse response;
  Clock::time_point before = Clock::now();
  grpc::Status status = stub_->AddServer(&context, request, &response);
  add_latency_.record(Clock::now() - before);
  if (!status.ok()) return failed("AddServer", server.name(), status);
  present_.push_back(server.name());
  ++added_;
  return absl::OkStatus();
}

absl::Status Churn::remove_one() {
  pace();
  size_t chosen = std::uniform_int_distribution<size_t>(0, present_.size() - 1)(random_);
  std::swap(present_[chosen], present_.back());
  v1::DeleteServerRequest request;
  request.mutable_fence()->set_override(true);
  request.set_backend(settings_.backend);
  request.set_name(present_.back());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  v1::DeleteServerResponse response;
  Clock::time_point before = Clock::now();
  grpc::Status status = stub_->DeleteServer(&context, request, &response);
  delete_latency_.record(Clock::now() - before);
  if (!status.ok()) return failed("DeleteServer", request.name(), status);
  if (!response.existed()) return absl::NotFoundError(fmt::format("DeleteServer {}: was not there", request.name()));
  present_.pop_back();
  ++deleted_;
  return absl::OkStatus();
}

void Churn::pace() {
  if (settings_.operations_per_second <= 0) return;
  std::chrono::duration<double> due(static_cast<double>(operations_++) / settings_.operations_per_second);
  std::this_thread::sleep_until(started_ + std::chrono::duration_cast<Clock::duration>(due));
}

std::string Churn::summary() const {
  return fmt::format(
      R"({{"added":{},"deleted":{},"seconds":{:.3f},"add_to_active_ms_p50":{:.4f},"add_to_active_ms_p99":{:.4f},)"
      R"("add_to_active_ms_max":{:.4f},"delete_ms_p50":{:.4f},"delete_ms_p99":{:.4f},"delete_ms_max":{:.4f}}})",
      added_, deleted_, seconds_, add_latency_.quantile_ms(0.5), add_latency_.quantile_ms(0.99), add_latency_.max_ms(),
      delete_latency_.quantile_ms(0.5), delete_latency_.quantile_ms(0.99), delete_latency_.max_ms());
}

}  // namespace fairlead::churn
