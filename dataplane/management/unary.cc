#include "management/unary.h"

#include <utility>

#include "management/messages.h"

namespace fairlead::management {

std::shared_ptr<UnaryCall> UnaryCall::open(const std::shared_ptr<Context>& context, Wait wait) {
  auto call = std::make_shared<UnaryCall>(context, wait);
  context->executor.post([context, call] { context->streams.add(call); });
  return call;
}

void UnaryCall::answer(std::function<grpc::Status()> rest) {
  context_->executor.post([self = shared_from_this(), rest = std::move(rest)] {
    if (!self->finished_) self->finish(rest());
  });
}

void UnaryCall::shut_down() {
  if (wait_ == Wait::kLong) finish(shutting_down());
}

void UnaryCall::OnCancel() {
  context_->executor.post([self = shared_from_this()] { self->finish(grpc::Status::CANCELLED); });
}

// The last reaction: the registry's reference is the last that keeps the call.
void UnaryCall::OnDone() {
  context_->executor.post([self = shared_from_this()] { self->context_->streams.remove(self.get()); });
}

void UnaryCall::finish(const grpc::Status& status) {
  if (finished_) return;
  finished_ = true;
  Finish(status);
}

grpc::ServerUnaryReactor* refuse(grpc::CallbackServerContext* call, const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

grpc::ServerUnaryReactor* write(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                const v1::Fence& fence, const v1::Operation& operation, bool wait_until_removed,
                                std::function<void(const store::Result&)> fill) {
  v1::Transaction message;
  *message.add_operations() = operation;
  std::shared_ptr<const Peer> peer = context->peers.find(call->peer());
  auto origin = std::make_shared<const store::Origin>("unary", peer->text());
  store::ApplyOptions options{.wait_until_removed = wait_until_removed};
  store::Transaction transaction = store::make_transaction(message, context->store.limits(), std::move(origin));
  transaction.fence = decode_fence(fence);
  if (context->guard.restrict(*peer, message, fence, transaction)) {
    return refuse(call, to_status(transaction.malformed.front().failure));
  }
  auto answered = UnaryCall::open(context, wait_until_removed ? UnaryCall::Wait::kLong : UnaryCall::Wait::kShort);
  context->store.apply(std::move(transaction), options, [answered, fill = std::move(fill)](store::Result result) {
    answered->answer([fill, result = std::move(result)] {
      if (!result.refused()) fill(result);
      return to_status(result);
    });
  });
  return answered.get();
}

grpc::ServerUnaryReactor* read(const std::shared_ptr<Context>& context, std::function<Rest(store::Reader&)> look) {
  auto call = UnaryCall::open(context);
  store::Store::Posted posted =
      context->store.read([call, look = std::move(look)](store::Reader& reader) { call->answer(look(reader)); });
  if (posted != store::Store::Posted::kYes) call->answer([posted] { return to_status(posted); });
  return call.get();
}

grpc::ServerUnaryReactor* read_with_traffic(const std::shared_ptr<Context>& context,
                                            std::function<RestWithTraffic(store::Reader&)> look) {
  auto call = UnaryCall::open(context);
  store::Store::Posted posted = context->store.read([context, call, look = std::move(look)](store::Reader& reader) {
    RestWithTraffic seen = look(reader);
    context->collector.count_traffic(std::move(seen.carriers),
                                     [call, rest = std::move(seen.rest)](std::vector<observe::Traffic> traffic) {
                                       call->answer([rest, traffic = std::move(traffic)] { return rest(traffic); });
                                     });
  });
  if (posted != store::Store::Posted::kYes) call->answer([posted] { return to_status(posted); });
  return call.get();
}

}  // namespace fairlead::management
