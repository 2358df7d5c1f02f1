// How unary calls are carried out: a write is a transaction with one operation, a read a closure for the store's
// thread. The answer is always given on the executor's thread, so that gRPC's work never burdens the store.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "fairlead/v1/management.pb.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "management/context.h"
#include "management/status.h"

namespace fairlead::management {

// A call that is not answered yet. Ends early where the client goes; its work is done all the same.
class UnaryCall final : public grpc::ServerUnaryReactor, public Call, public std::enable_shared_from_this<UnaryCall> {
 public:
  enum class Wait { kShort, kLong };

  UnaryCall(std::shared_ptr<Context> context, Wait wait) : context_(std::move(context)), wait_(wait) {}

  // Begins: from now on the registry keeps it until gRPC is done with it.
  static std::shared_ptr<UnaryCall> open(const std::shared_ptr<Context>& context, Wait wait = Wait::kShort);

  // From any thread: `rest` fills the response and says how the call ends. Not called where it has ended.
  void answer(std::function<grpc::Status()> rest);
  // What takes a moment may end by itself.
  void shut_down() override;

 private:
  void OnCancel() override;
  void OnDone() override;
  void finish(const grpc::Status& status);

  std::shared_ptr<Context> context_;
  const Wait wait_;
  bool finished_ = false;
};

// Finishes the call with `status`.
grpc::ServerUnaryReactor* refuse(grpc::CallbackServerContext* call, const grpc::Status& status);

// Applies `operation` where `fence` allows it; `fill` makes the response from a result that holds.
grpc::ServerUnaryReactor* write(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                const v1::Fence& fence, const v1::Operation& operation, bool wait_until_removed,
                                std::function<void(const store::Result&)> fill);

// `look` reads on the store's thread and returns the rest of the work, done on the executor's thread, whose status ends
// the call.
using Rest = std::function<grpc::Status()>;
grpc::ServerUnaryReactor* read(const std::shared_ptr<Context>& context, std::function<Rest(store::Reader&)> look);

// As read(); the rest is told how much `carriers` have in flight afterwards, in their order.
struct RestWithTraffic {
  std::vector<observe::Carrier> carriers;
  std::function<grpc::Status(const std::vector<observe::Traffic>& traffic)> rest;
};
grpc::ServerUnaryReactor* read_with_traffic(const std::shared_ptr<Context>& context,
                                            std::function<RestWithTraffic(store::Reader&)> look);

}  // namespace fairlead::management
