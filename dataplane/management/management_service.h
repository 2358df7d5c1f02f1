// The management service: unary calls, and the doors of its streams.
#pragma once

#include <memory>
#include <utility>

#include "fairlead/v1/management.grpc.pb.h"
#include "management/context.h"

namespace fairlead::management {

class ManagementService final : public v1::ManagementService::CallbackService {
 public:
  explicit ManagementService(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  using Server = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  grpc::ServerBidiReactor<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>* StreamUpdates(Server* call) override;
  Unary* ApplyTransaction(Server* call, const v1::ApplyTransactionRequest* request,
                          v1::ApplyTransactionResponse* response) override;

  Unary* AddServer(Server* call, const v1::AddServerRequest* request, v1::AddServerResponse* response) override;
  Unary* UpdateServer(Server* call, const v1::UpdateServerRequest* request,
                      v1::UpdateServerResponse* response) override;
  Unary* DeleteServer(Server* call, const v1::DeleteServerRequest* request,
                      v1::DeleteServerResponse* response) override;
  Unary* GetServer(Server* call, const v1::GetServerRequest* request, v1::GetServerResponse* response) override;
  Unary* ListServers(Server* call, const v1::ListServersRequest* request, v1::ListServersResponse* response) override;

  Unary* AddBackend(Server* call, const v1::AddBackendRequest* request, v1::AddBackendResponse* response) override;
  Unary* UpdateBackend(Server* call, const v1::UpdateBackendRequest* request,
                       v1::UpdateBackendResponse* response) override;
  Unary* DeleteBackend(Server* call, const v1::DeleteBackendRequest* request,
                       v1::DeleteBackendResponse* response) override;
  Unary* GetBackend(Server* call, const v1::GetBackendRequest* request, v1::GetBackendResponse* response) override;
  Unary* ListBackends(Server* call, const v1::ListBackendsRequest* request,
                      v1::ListBackendsResponse* response) override;

  Unary* AddListener(Server* call, const v1::AddListenerRequest* request, v1::AddListenerResponse* response) override;
  Unary* UpdateListener(Server* call, const v1::UpdateListenerRequest* request,
                        v1::UpdateListenerResponse* response) override;
  Unary* DeleteListener(Server* call, const v1::DeleteListenerRequest* request,
                        v1::DeleteListenerResponse* response) override;
  Unary* GetListener(Server* call, const v1::GetListenerRequest* request, v1::GetListenerResponse* response) override;
  Unary* ListListeners(Server* call, const v1::ListListenersRequest* request,
                       v1::ListListenersResponse* response) override;

  Unary* AddCertificate(Server* call, const v1::AddCertificateRequest*, v1::AddCertificateResponse*) override;
  Unary* UpdateCertificate(Server* call, const v1::UpdateCertificateRequest*, v1::UpdateCertificateResponse*) override;
  Unary* DeleteCertificate(Server* call, const v1::DeleteCertificateRequest*, v1::DeleteCertificateResponse*) override;
  Unary* GetCertificate(Server* call, const v1::GetCertificateRequest*, v1::GetCertificateResponse*) override;
  Unary* ListCertificates(Server* call, const v1::ListCertificatesRequest*, v1::ListCertificatesResponse*) override;

  grpc::ServerWriteReactor<v1::ExportConfigResponse>* ExportConfig(Server* call,
                                                                   const v1::ExportConfigRequest* request) override;
  Unary* ListHistory(Server* call, const v1::ListHistoryRequest* request, v1::ListHistoryResponse* response) override;
  grpc::ServerWriteReactor<v1::DiffVersionsResponse>* DiffVersions(Server* call,
                                                                   const v1::DiffVersionsRequest* request) override;
  Unary* Rollback(Server* call, const v1::RollbackRequest* request, v1::RollbackResponse* response) override;
  Unary* GetTransaction(Server* call, const v1::GetTransactionRequest* request,
                        v1::GetTransactionResponse* response) override;
  Unary* ExplainPick(Server* call, const v1::ExplainPickRequest* request, v1::ExplainPickResponse* response) override;

  Unary* GetInfo(Server* call, const v1::GetInfoRequest* request, v1::GetInfoResponse* response) override;

 private:
  std::shared_ptr<Context> context_;
};

}  // namespace fairlead::management
