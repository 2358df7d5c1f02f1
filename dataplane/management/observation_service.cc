#include "management/observation_service.h"

#include <memory>
#include <utility>

#include "management/statistics_stream.h"
#include "management/streams.h"
#include "management/watch_stream.h"

namespace fairlead::management {
namespace {

// Hands a new stream to the executor's thread, where it begins.
template <typename S>
S* open(const std::shared_ptr<Context>& context, std::shared_ptr<S> stream) {
  S* reactor = stream.get();
  context->executor.post([context, stream = std::move(stream)] {
    context->streams.add(stream);
    stream->begin();
  });
  return reactor;
}

}  // namespace

auto ObservationService::WatchEvents(grpc::CallbackServerContext*, const v1::WatchEventsRequest* request)
    -> grpc::ServerWriteReactor<v1::WatchEventsResponse>* {
  return open(context_, std::make_shared<WatchStream>(context_, *request));
}

auto ObservationService::StreamStatistics(grpc::CallbackServerContext*, const v1::StreamStatisticsRequest* request)
    -> grpc::ServerWriteReactor<v1::StreamStatisticsResponse>* {
  return open(context_, std::make_shared<StatisticsStream>(context_, *request));
}

}  // namespace fairlead::management
