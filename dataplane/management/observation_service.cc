#include "management/observation_service.h"

#include <memory>

#include "management/open_stream.h"
#include "management/statistics_stream.h"
#include "management/watch_stream.h"

namespace fairlead::management {

auto ObservationService::WatchEvents(grpc::CallbackServerContext*, const v1::WatchEventsRequest* request)
    -> grpc::ServerWriteReactor<v1::WatchEventsResponse>* {
  return open_stream(context_, std::make_shared<WatchStream>(context_, *request));
}

auto ObservationService::StreamStatistics(grpc::CallbackServerContext*, const v1::StreamStatisticsRequest* request)
    -> grpc::ServerWriteReactor<v1::StreamStatisticsResponse>* {
  return open_stream(context_, std::make_shared<StatisticsStream>(context_, *request));
}

}  // namespace fairlead::management
