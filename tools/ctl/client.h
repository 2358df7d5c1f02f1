// A data plane as fairleadctl sees it: its address, calls with a deadline, errors as sentences.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "ctl/result.h"
#include "fairlead/v1/management.grpc.pb.h"
#include "fairlead/v1/observation.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/channel_arguments.h"

namespace fairlead::ctl {

inline constexpr char kDefaultAddress[] = "unix:/run/fairlead/management.sock";

// "unix:/path", "/path", "127.0.0.1:9901", "[::1]:9901" as gRPC wants it.
Result<std::string> parse_address(const std::string& text);

// What fairleadctl asks of a channel.
grpc::ChannelArguments channel_arguments();

// Where it is, and how it is spoken to there.
struct Place {
  std::string address;
  bool tls = false;
};

class Client {
 public:
  using Management = v1::ManagementService::Stub;
  using Observation = v1::ObservationService::Stub;
  using Timeout = std::chrono::nanoseconds;

  // `fence`: by what right it writes.
  Client(std::shared_ptr<grpc::Channel> channel, Place place, Timeout timeout, v1::Fence fence = {})
      : place_(std::move(place)),
        timeout_(timeout),
        fence_(std::move(fence)),
        management_(v1::ManagementService::NewStub(channel)),
        observation_(v1::ObservationService::NewStub(channel)) {}

  template <typename Request, typename Response>
  using Method = grpc::Status (Management::*)(grpc::ClientContext*, const Request&, Response*);

  // One call within the common timeout, or another one.
  template <typename Request, typename Response>
  Result<Response> call(Method<Request, Response> method, const Request& request,
                        std::optional<Timeout> timeout = std::nullopt) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout.value_or(timeout_));
    Response response;
    const grpc::Status status = send(method, context, request, response);
    if (!status.ok()) return std::unexpected(failure(status, timeout.value_or(timeout_)));
    return response;
  }

  Management& management() { return *management_; }
  Observation& observation() { return *observation_; }
  const std::string& address() const { return place_.address; }
  Timeout timeout() const { return timeout_; }

  // The data plane's own words, or what can be done where there are none. Where nothing came in time it is asked why.
  Failure failure(const grpc::Status& status, std::optional<Timeout> timeout = std::nullopt) const;

 private:
  // What is known to keep the data plane from answering; empty for nothing.
  std::string what_it_waits_for() const;
  template <typename Request, typename Response>
  grpc::Status send(Method<Request, Response> method, grpc::ClientContext& context, const Request& request,
                    Response& response) {
    if constexpr (requires(Request fenced) { fenced.mutable_fence(); }) {
      if (fence_.has_election_id() || fence_.override()) {
        Request fenced = request;
        *fenced.mutable_fence() = fence_;
        return (management_.get()->*method)(&context, fenced, &response);
      }
    }
    return (management_.get()->*method)(&context, request, &response);
  }

  Place place_;
  Timeout timeout_;
  v1::Fence fence_;
  std::unique_ptr<Management> management_;
  std::unique_ptr<Observation> observation_;
};

}  // namespace fairlead::ctl
