// StreamStatistics: what happened in each interval, as differences of the workers' cumulative counters.
#pragma once

#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "fairlead/v1/observation.pb.h"
#include "management/write_stream.h"
#include "observe/statistics.h"
#include "store/views.h"

namespace fairlead::management {

// One reading: counters, and beside them what the store knows.
struct Sample {
  config::WallTime time;
  config::Version version = 0;
  observe::Statistics statistics;
  std::vector<store::BackendView> backends;
  absl::flat_hash_map<config::Uid, v1::Lifecycle> lifecycles;
};

// What happened between two samples; `names`: only these backends, empty for all.
void encode_interval(const Sample& start, const Sample& end, const absl::flat_hash_set<std::string>& names,
                     bool servers, v1::StreamStatisticsResponse& out);

class StatisticsStream final : public WriteStream<v1::StreamStatisticsResponse> {
 public:
  StatisticsStream(std::shared_ptr<Context> context, grpc::CallbackServerContext& call,
                   v1::StreamStatisticsRequest request)
      : WriteStream(std::move(context), call), request_(std::move(request)) {}
  void begin() override;

 private:
  void wait();
  void take_sample();
  void sampled(Sample sample);
  bool next(v1::StreamStatisticsResponse& response) override;

  const v1::StreamStatisticsRequest request_;
  absl::flat_hash_set<std::string> names_;
  config::Duration interval_ = std::chrono::seconds(1);
  // When the next sample is due.
  Executor::Clock::time_point due_;
  std::optional<Sample> last_;
  // Ready to be written, with `last_` as its start.
  std::optional<Sample> end_;
};

}  // namespace fairlead::management
