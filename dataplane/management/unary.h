// How unary calls are carried out: a write is a transaction with one operation, a read a closure for the store's
// thread. The answer is always given on the executor's thread, so that gRPC's work never burdens the store.
#pragma once

#include <functional>
#include <utility>

#include "fairlead/v1/management.pb.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "management/context.h"
#include "management/status.h"

namespace fairlead::management {

// Finishes the call with `status`.
inline grpc::ServerUnaryReactor* refuse(grpc::CallbackServerContext* call, const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

// Applies `operation`; `fill` makes the response from a result that holds.
inline grpc::ServerUnaryReactor* write(Context& context, grpc::CallbackServerContext* call,
                                       const v1::Operation& operation, bool wait_until_removed,
                                       std::function<void(const store::Result&)> fill) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  v1::Transaction message;
  *message.add_operations() = operation;
  auto origin = std::make_shared<const store::Origin>("unary", call->peer());
  store::ApplyOptions options{.wait_until_removed = wait_until_removed};
  context.store.apply(store::make_transaction(message, context.store.limits(), std::move(origin)), options,
                      [&executor = context.executor, reactor, fill = std::move(fill)](store::Result result) {
                        executor.post([reactor, fill, result = std::move(result)] {
                          if (!result.refused()) fill(result);
                          reactor->Finish(to_status(result));
                        });
                      });
  return reactor;
}

// `look` reads on the store's thread and returns the rest of the work, done on the executor's thread, whose status ends
// the call.
using Rest = std::function<grpc::Status()>;
inline grpc::ServerUnaryReactor* read(Context& context, grpc::CallbackServerContext* call,
                                      std::function<Rest(store::Reader&)> look) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  store::Store::Posted posted =
      context.store.read([&executor = context.executor, reactor, look = std::move(look)](store::Reader& reader) {
        executor.post([reactor, rest = look(reader)] { reactor->Finish(rest()); });
      });
  if (posted != store::Store::Posted::kYes) reactor->Finish(to_status(posted));
  return reactor;
}

// As read(), with the statistics of the workers as they are afterwards.
using RestWithTraffic = std::function<grpc::Status(const observe::Statistics&)>;
inline grpc::ServerUnaryReactor* read_with_traffic(Context& context, grpc::CallbackServerContext* call,
                                                   std::function<RestWithTraffic(store::Reader&)> look) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  store::Store::Posted posted = context.store.read([&context, reactor, look = std::move(look)](store::Reader& reader) {
    context.executor.post([&context, reactor, rest = look(reader)] {
      context.collector.collect(true, [&context, reactor, rest](observe::Statistics statistics) {
        context.executor.post(
            [reactor, rest, statistics = std::move(statistics)] { reactor->Finish(rest(statistics)); });
      });
    });
  });
  if (posted != store::Store::Posted::kYes) reactor->Finish(to_status(posted));
  return reactor;
}

}  // namespace fairlead::management
