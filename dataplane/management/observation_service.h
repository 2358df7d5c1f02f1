// The observation service, behind its door (guarded_services.h).
#pragma once

#include <memory>
#include <utility>

#include "fairlead/v1/observation.grpc.pb.h"
#include "management/context.h"

namespace fairlead::management {

class ObservationService {
 public:
  explicit ObservationService(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  grpc::ServerWriteReactor<v1::WatchEventsResponse>* WatchEvents(grpc::CallbackServerContext* call,
                                                                 const v1::WatchEventsRequest* request);
  grpc::ServerWriteReactor<v1::StreamStatisticsResponse>* StreamStatistics(grpc::CallbackServerContext* call,
                                                                           const v1::StreamStatisticsRequest* request);

 private:
  std::shared_ptr<Context> context_;
};

}  // namespace fairlead::management
