// The management service, behind its door (guarded_services.h): unary calls, and its streams.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "fairlead/v1/management.grpc.pb.h"
#include "management/context.h"

namespace fairlead::management {

class ManagementService {
 public:
  explicit ManagementService(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  using Server = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  // One that ends with `refusal` as soon as it has begun, where there is one.
  grpc::ServerBidiReactor<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>* begin_session(
      Server* call, std::optional<grpc::Status> refusal);
  Unary* ApplyTransaction(Server* call, const v1::ApplyTransactionRequest* request,
                          v1::ApplyTransactionResponse* response);

  Unary* AddServer(Server* call, const v1::AddServerRequest* request, v1::AddServerResponse* response);
  Unary* UpdateServer(Server* call, const v1::UpdateServerRequest* request, v1::UpdateServerResponse* response);
  Unary* DeleteServer(Server* call, const v1::DeleteServerRequest* request, v1::DeleteServerResponse* response);
  Unary* GetServer(Server* call, const v1::GetServerRequest* request, v1::GetServerResponse* response);
  Unary* ListServers(Server* call, const v1::ListServersRequest* request, v1::ListServersResponse* response);

  Unary* AddBackend(Server* call, const v1::AddBackendRequest* request, v1::AddBackendResponse* response);
  Unary* UpdateBackend(Server* call, const v1::UpdateBackendRequest* request, v1::UpdateBackendResponse* response);
  Unary* DeleteBackend(Server* call, const v1::DeleteBackendRequest* request, v1::DeleteBackendResponse* response);
  Unary* GetBackend(Server* call, const v1::GetBackendRequest* request, v1::GetBackendResponse* response);
  Unary* ListBackends(Server* call, const v1::ListBackendsRequest* request, v1::ListBackendsResponse* response);

  Unary* AddListener(Server* call, const v1::AddListenerRequest* request, v1::AddListenerResponse* response);
  Unary* UpdateListener(Server* call, const v1::UpdateListenerRequest* request, v1::UpdateListenerResponse* response);
  Unary* DeleteListener(Server* call, const v1::DeleteListenerRequest* request, v1::DeleteListenerResponse* response);
  Unary* GetListener(Server* call, const v1::GetListenerRequest* request, v1::GetListenerResponse* response);
  Unary* ListListeners(Server* call, const v1::ListListenersRequest* request, v1::ListListenersResponse* response);

  Unary* AddCertificate(Server* call, const v1::AddCertificateRequest*, v1::AddCertificateResponse*);
  Unary* UpdateCertificate(Server* call, const v1::UpdateCertificateRequest*, v1::UpdateCertificateResponse*);
  Unary* DeleteCertificate(Server* call, const v1::DeleteCertificateRequest*, v1::DeleteCertificateResponse*);
  Unary* GetCertificate(Server* call, const v1::GetCertificateRequest*, v1::GetCertificateResponse*);
  Unary* ListCertificates(Server* call, const v1::ListCertificatesRequest*, v1::ListCertificatesResponse*);

  grpc::ServerWriteReactor<v1::ExportConfigResponse>* ExportConfig(Server* call,
                                                                   const v1::ExportConfigRequest* request);
  Unary* ListHistory(Server* call, const v1::ListHistoryRequest* request, v1::ListHistoryResponse* response);
  grpc::ServerWriteReactor<v1::DiffVersionsResponse>* DiffVersions(Server* call,
                                                                   const v1::DiffVersionsRequest* request);
  Unary* Rollback(Server* call, const v1::RollbackRequest* request, v1::RollbackResponse* response);
  Unary* GetTransaction(Server* call, const v1::GetTransactionRequest* request, v1::GetTransactionResponse* response);
  Unary* ExplainPick(Server* call, const v1::ExplainPickRequest* request, v1::ExplainPickResponse* response);

  Unary* GetInfo(Server* call, const v1::GetInfoRequest* request, v1::GetInfoResponse* response);

 private:
  std::shared_ptr<Context> context_;
};

}  // namespace fairlead::management
