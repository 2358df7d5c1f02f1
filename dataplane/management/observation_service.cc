#include "management/observation_service.h"

#include <memory>

#include "management/open_stream.h"
#include "management/statistics_stream.h"
#include "management/watch_stream.h"

namespace fairlead::management {

auto ObservationService::WatchEvents(grpc::CallbackServerContext* call, const v1::WatchEventsRequest* request)
    -> grpc::ServerWriteReactor<v1::WatchEventsResponse>* {
  return open_stream<WatchStream>(context_, call, *request);
}

auto ObservationService::StreamStatistics(grpc::CallbackServerContext* call, const v1::StreamStatisticsRequest* request)
    -> grpc::ServerWriteReactor<v1::StreamStatisticsResponse>* {
  return open_stream<StatisticsStream>(context_, call, *request);
}

}  // namespace fairlead::management
