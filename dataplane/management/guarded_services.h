// The doors of both services: each call is held against its caller's role here, and nowhere else gets in. What a call
// writes is looked at where it is made a transaction (Guard::restrict).
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "management/context.h"
#include "management/management_service.h"
#include "management/observation_service.h"
#include "management/open_stream.h"
#include "management/unary.h"
#include "management/write_stream.h"

namespace fairlead::management {

// The method whose request this is: "AddServer" of AddServerRequest.
template <typename Request>
const std::string& method_of() {
  static const std::string name = [] {
    std::string message = Request::descriptor()->name();
    return message.substr(0, message.size() - std::string_view("Request").size());
  }();
  return name;
}

// Ends as soon as it has begun.
template <typename Response>
class RefusedStream final : public WriteStream<Response> {
 public:
  RefusedStream(std::shared_ptr<Context> context, grpc::CallbackServerContext& call, grpc::Status status)
      : WriteStream<Response>(std::move(context), call), status_(std::move(status)) {}
  void begin() override { this->finish(status_); }

 private:
  bool next(Response&) override { return false; }
  const grpc::Status status_;
};

// What both have in common: `Service` does the work.
template <typename Service>
class Guarded {
 public:
  using Call = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  template <typename Response>
  using Writer = grpc::ServerWriteReactor<Response>;

  explicit Guarded(std::shared_ptr<Context> context) : context_(std::move(context)), service_(context_) {}

 protected:
  template <typename Request>
  std::optional<grpc::Status> refusal(Call* call) {
    std::shared_ptr<const Peer> peer = context_->peers.find(call->peer());
    return context_->guard.refusal_of_call(*peer, method_of<Request>());
  }

  template <typename Request, typename Response>
  Unary* pass(Call* call, const Request* request, Response* response,
              Unary* (Service::*method)(Call*, const Request*, Response*)) {
    if (auto status = refusal<Request>(call)) return refuse(call, *status);
    return (service_.*method)(call, request, response);
  }

  template <typename Request, typename Response>
  Writer<Response>* pass(Call* call, const Request* request,
                         Writer<Response>* (Service::*method)(Call*, const Request*)) {
    if (auto status = refusal<Request>(call)) return open_stream<RefusedStream<Response>>(context_, call, *status);
    return (service_.*method)(call, request);
  }

  const std::shared_ptr<Context> context_;
  Service service_;
};

class GuardedManagement final : public v1::ManagementService::CallbackService, Guarded<ManagementService> {
 public:
  using Guarded::Guarded;

  grpc::ServerBidiReactor<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>* StreamUpdates(Call* call) override {
    return service_.begin_session(call, refusal<v1::StreamUpdatesRequest>(call));
  }
  Unary* ApplyTransaction(Call* call, const v1::ApplyTransactionRequest* request,
                          v1::ApplyTransactionResponse* response) override {
    return pass(call, request, response, &ManagementService::ApplyTransaction);
  }
  Unary* GetTransaction(Call* call, const v1::GetTransactionRequest* request,
                        v1::GetTransactionResponse* response) override {
    return pass(call, request, response, &ManagementService::GetTransaction);
  }
  Unary* AddServer(Call* call, const v1::AddServerRequest* request, v1::AddServerResponse* response) override {
    return pass(call, request, response, &ManagementService::AddServer);
  }
  Unary* UpdateServer(Call* call, const v1::UpdateServerRequest* request, v1::UpdateServerResponse* response) override {
    return pass(call, request, response, &ManagementService::UpdateServer);
  }
  Unary* DeleteServer(Call* call, const v1::DeleteServerRequest* request, v1::DeleteServerResponse* response) override {
    return pass(call, request, response, &ManagementService::DeleteServer);
  }
  Unary* GetServer(Call* call, const v1::GetServerRequest* request, v1::GetServerResponse* response) override {
    return pass(call, request, response, &ManagementService::GetServer);
  }
  Unary* ListServers(Call* call, const v1::ListServersRequest* request, v1::ListServersResponse* response) override {
    return pass(call, request, response, &ManagementService::ListServers);
  }
  Unary* AddBackend(Call* call, const v1::AddBackendRequest* request, v1::AddBackendResponse* response) override {
    return pass(call, request, response, &ManagementService::AddBackend);
  }
  Unary* UpdateBackend(Call* call, const v1::UpdateBackendRequest* request,
                       v1::UpdateBackendResponse* response) override {
    return pass(call, request, response, &ManagementService::UpdateBackend);
  }
  Unary* DeleteBackend(Call* call, const v1::DeleteBackendRequest* request,
                       v1::DeleteBackendResponse* response) override {
    return pass(call, request, response, &ManagementService::DeleteBackend);
  }
  Unary* GetBackend(Call* call, const v1::GetBackendRequest* request, v1::GetBackendResponse* response) override {
    return pass(call, request, response, &ManagementService::GetBackend);
  }
  Unary* ListBackends(Call* call, const v1::ListBackendsRequest* request, v1::ListBackendsResponse* response) override {
    return pass(call, request, response, &ManagementService::ListBackends);
  }
  Unary* AddListener(Call* call, const v1::AddListenerRequest* request, v1::AddListenerResponse* response) override {
    return pass(call, request, response, &ManagementService::AddListener);
  }
  Unary* UpdateListener(Call* call, const v1::UpdateListenerRequest* request,
                        v1::UpdateListenerResponse* response) override {
    return pass(call, request, response, &ManagementService::UpdateListener);
  }
  Unary* DeleteListener(Call* call, const v1::DeleteListenerRequest* request,
                        v1::DeleteListenerResponse* response) override {
    return pass(call, request, response, &ManagementService::DeleteListener);
  }
  Unary* GetListener(Call* call, const v1::GetListenerRequest* request, v1::GetListenerResponse* response) override {
    return pass(call, request, response, &ManagementService::GetListener);
  }
  Unary* ListListeners(Call* call, const v1::ListListenersRequest* request,
                       v1::ListListenersResponse* response) override {
    return pass(call, request, response, &ManagementService::ListListeners);
  }
  Unary* AddCertificate(Call* call, const v1::AddCertificateRequest* request,
                        v1::AddCertificateResponse* response) override {
    return pass(call, request, response, &ManagementService::AddCertificate);
  }
  Unary* UpdateCertificate(Call* call, const v1::UpdateCertificateRequest* request,
                           v1::UpdateCertificateResponse* response) override {
    return pass(call, request, response, &ManagementService::UpdateCertificate);
  }
  Unary* DeleteCertificate(Call* call, const v1::DeleteCertificateRequest* request,
                           v1::DeleteCertificateResponse* response) override {
    return pass(call, request, response, &ManagementService::DeleteCertificate);
  }
  Unary* GetCertificate(Call* call, const v1::GetCertificateRequest* request,
                        v1::GetCertificateResponse* response) override {
    return pass(call, request, response, &ManagementService::GetCertificate);
  }
  Unary* ListCertificates(Call* call, const v1::ListCertificatesRequest* request,
                          v1::ListCertificatesResponse* response) override {
    return pass(call, request, response, &ManagementService::ListCertificates);
  }
  Writer<v1::ExportConfigResponse>* ExportConfig(Call* call, const v1::ExportConfigRequest* request) override {
    return pass(call, request, &ManagementService::ExportConfig);
  }
  Unary* GetInfo(Call* call, const v1::GetInfoRequest* request, v1::GetInfoResponse* response) override {
    return pass(call, request, response, &ManagementService::GetInfo);
  }
  Unary* ListHistory(Call* call, const v1::ListHistoryRequest* request, v1::ListHistoryResponse* response) override {
    return pass(call, request, response, &ManagementService::ListHistory);
  }
  Writer<v1::DiffVersionsResponse>* DiffVersions(Call* call, const v1::DiffVersionsRequest* request) override {
    return pass(call, request, &ManagementService::DiffVersions);
  }
  Unary* Rollback(Call* call, const v1::RollbackRequest* request, v1::RollbackResponse* response) override {
    return pass(call, request, response, &ManagementService::Rollback);
  }
  Unary* ExplainPick(Call* call, const v1::ExplainPickRequest* request, v1::ExplainPickResponse* response) override {
    return pass(call, request, response, &ManagementService::ExplainPick);
  }
};

class GuardedObservation final : public v1::ObservationService::CallbackService, Guarded<ObservationService> {
 public:
  using Guarded::Guarded;

  Writer<v1::WatchEventsResponse>* WatchEvents(Call* call, const v1::WatchEventsRequest* request) override {
    return pass(call, request, &ObservationService::WatchEvents);
  }
  Writer<v1::StreamStatisticsResponse>* StreamStatistics(Call* call,
                                                         const v1::StreamStatisticsRequest* request) override {
    return pass(call, request, &ObservationService::StreamStatistics);
  }
};

}  // namespace fairlead::management
