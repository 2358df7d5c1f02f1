// ListHistory, DiffVersions, Rollback, GetTransaction: what reads the journal's history, on a thread that may wait for
// the disk (Context::reading).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "grpcpp/server_context.h"
#include "management/unary.h"
#include "management/write_stream.h"
#include "store/history.h"

namespace fairlead::management {

grpc::ServerUnaryReactor* list_history(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                       const v1::ListHistoryRequest& request, v1::ListHistoryResponse& response);

// The greatest id that a client has in history, 0 for none; on the reading thread.
void read_last_transaction(const std::shared_ptr<Context>& context, const std::string& client,
                           absl::AnyInvocable<void(uint64_t)> done);

// As Store::apply(), for a transaction with a fingerprint: one that came before, in an earlier life of this process, is
// answered as it was then.
void apply_once(const std::shared_ptr<Context>& context, store::Transaction transaction,
                const store::ApplyOptions& options, std::function<void(store::Result)> done);

grpc::ServerUnaryReactor* get_transaction(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                          const v1::GetTransactionRequest& request,
                                          v1::GetTransactionResponse& response);

// The difference is found first, then applied where nobody changed anything in between; else it is found again.
grpc::ServerUnaryReactor* roll_back(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                    const v1::RollbackRequest& request, v1::RollbackResponse& response);

class DiffStream final : public WriteStream<v1::DiffVersionsResponse> {
 public:
  DiffStream(std::shared_ptr<Context> context, grpc::CallbackServerContext& call,
             const v1::DiffVersionsRequest& request)
      : WriteStream(std::move(context), call), request_(request) {}
  void begin() override;

 private:
  bool next(v1::DiffVersionsResponse& response) override;

  const v1::DiffVersionsRequest request_;
  std::optional<store::VersionDifference> difference_;
  size_t written_ = 0;
};

}  // namespace fairlead::management
