// ListHistory, DiffVersions, Rollback, GetTransaction: what reads the journal's history, on a thread that may wait for
// the disk (Context::reading).
#pragma once

#include <memory>

#include "grpcpp/server_context.h"
#include "management/unary.h"
#include "management/write_stream.h"
#include "store/history.h"

namespace fairlead::management {

grpc::ServerUnaryReactor* list_history(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                       const v1::ListHistoryRequest& request, v1::ListHistoryResponse& response);

grpc::ServerUnaryReactor* get_transaction(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                          const v1::GetTransactionRequest& request,
                                          v1::GetTransactionResponse& response);

// The difference is found first, then applied where nobody changed anything in between; else it is found again.
grpc::ServerUnaryReactor* roll_back(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                    const v1::RollbackRequest& request, v1::RollbackResponse& response);

class DiffStream final : public WriteStream<v1::DiffVersionsResponse> {
 public:
  DiffStream(std::shared_ptr<Context> context, const v1::DiffVersionsRequest& request)
      : WriteStream(std::move(context)), request_(request) {}
  void begin() override;

 private:
  bool next(v1::DiffVersionsResponse& response) override;

  const v1::DiffVersionsRequest request_;
  std::optional<store::VersionDifference> difference_;
  size_t written_ = 0;
};

}  // namespace fairlead::management
