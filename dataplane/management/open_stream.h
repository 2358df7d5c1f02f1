// The door of all streams.
#pragma once

#include <memory>
#include <utility>

#include "management/context.h"

namespace fairlead::management {

// Hands a new stream to the executor's thread, where it begins. What comes back is gRPC's reactor.
template <typename S>
S* open_stream(const std::shared_ptr<Context>& context, std::shared_ptr<S> stream) {
  S* reactor = stream.get();
  context->executor.post([context, stream = std::move(stream)] { context->streams.begin(stream); });
  return reactor;
}

}  // namespace fairlead::management
