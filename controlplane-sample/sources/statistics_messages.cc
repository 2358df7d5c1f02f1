#include "sources/statistics_messages.h"

namespace fairlead::sources {

namespace api = fairlead::v1;

api::StreamStatisticsRequest to_request(const std::string& backend, absl::Duration interval) {
  api::StreamStatisticsRequest request;
  const absl::Duration seconds = absl::Trunc(interval, absl::Seconds(1));
  request.mutable_interval()->set_seconds(absl::ToInt64Seconds(seconds));
  request.mutable_interval()->set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(interval - seconds)));
  request.add_backends(backend);
  request.set_servers(true);
  return request;
}

LoadSample to_sample(const api::StreamStatisticsResponse& response, const std::string& backend) {
  LoadSample sample;
  for (const api::BackendStatistics& statistics : response.backends()) {
    if (statistics.backend() != backend) continue;
    sample.in_flight = statistics.counters().in_flight() + statistics.counters().queued();
    for (const api::ServerStatistics& server : statistics.servers()) {
      sample.servers.push_back({server.name(), server.counters().in_flight() + server.counters().queued()});
    }
    // Those that exist come first. What a deleted one of the same name still finishes is no work for the servers that
    // this one has, so it is neither taken instead nor added.
    break;
  }
  return sample;
}

}  // namespace fairlead::sources
