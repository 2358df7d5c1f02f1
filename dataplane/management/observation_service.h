// The observation service: the doors of its streams.
#pragma once

#include <memory>
#include <utility>

#include "fairlead/v1/observation.grpc.pb.h"
#include "management/context.h"

namespace fairlead::management {

class ObservationService final : public v1::ObservationService::CallbackService {
 public:
  explicit ObservationService(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  grpc::ServerWriteReactor<v1::WatchEventsResponse>* WatchEvents(grpc::CallbackServerContext* call,
                                                                 const v1::WatchEventsRequest* request) override;
  grpc::ServerWriteReactor<v1::StreamStatisticsResponse>* StreamStatistics(
      grpc::CallbackServerContext* call, const v1::StreamStatisticsRequest* request) override;

 private:
  std::shared_ptr<Context> context_;
};

}  // namespace fairlead::management
