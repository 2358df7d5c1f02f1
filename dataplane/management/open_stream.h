// The door of all streams.
#pragma once

#include <memory>
#include <utility>

#include "management/context.h"

namespace fairlead::management {

// Makes a stream of what `more` holds and hands it to the executor's thread, where it begins. What comes back is gRPC's
// reactor.
template <typename S, typename... More>
S* open_stream(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call, More&&... more) {
  auto stream = std::make_shared<S>(context, *call, std::forward<More>(more)...);
  S* reactor = stream.get();
  context->executor.post([context, stream = std::move(stream)] { context->streams.begin(stream); });
  return reactor;
}

}  // namespace fairlead::management
