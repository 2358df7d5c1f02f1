#include "sources/statistics_source.h"

#include <thread>
#include <utility>

#include "fairlead/v1/observation.grpc.pb.h"
#include "session/backoff.h"
#include "session/channel.h"
#include "sources/statistics_messages.h"
#include "spdlog/spdlog.h"
#include "threads/monitor.h"

namespace fairlead::sources {

namespace api = fairlead::v1;

class StatisticsSource::Reader {
 public:
  Reader(StatisticsOptions options, LoadListener listener)
      : options_(std::move(options)), listener_(std::move(listener)), thread_([this] { run(); }) {}

  ~Reader() {
    {
      threads::Monitor::Lock lock(mutex_);
      stopping_ = true;
      if (context_ != nullptr) context_->TryCancel();
    }
    thread_.join();
  }

  void restart() {
    threads::Monitor::Lock lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  void run();
  // True when anything came.
  bool read(api::ObservationService::StubInterface& stub);
  void tell(const grpc::Status& status);
  bool begin(grpc::ClientContext& context);
  void end();
  // False when it is time to end.
  bool wait(absl::Duration duration);

  const StatisticsOptions options_;
  const LoadListener listener_;
  // The last complaint, which is not repeated. Of the thread.
  std::string told_;
  threads::Monitor mutex_;
  bool stopping_ = false;                   // guarded by mutex_
  grpc::ClientContext* context_ = nullptr;  // guarded by mutex_
  std::thread thread_;                      // Last: it uses all the others.
};

void StatisticsSource::Reader::run() {
  const auto stub = api::ObservationService::NewStub(session::make_channel(options_.dataplane, options_.tls));
  session::Backoff backoff(options_.first_wait, options_.longest_wait, options_.seed);
  do {
    if (read(*stub)) backoff.reset();
  } while (wait(backoff.next()));
}

bool StatisticsSource::Reader::read(api::ObservationService::StubInterface& stub) {
  grpc::ClientContext context;
  if (!begin(context)) return false;
  const auto stream = stub.StreamStatistics(&context, to_request(options_.backend, options_.interval));
  api::StreamStatisticsResponse response;
  bool any = false;
  while (stream->Read(&response)) {
    any = true;
    listener_(to_sample(response, options_.backend));
  }
  tell(stream->Finish());
  end();
  return any;
}

void StatisticsSource::Reader::tell(const grpc::Status& status) {
  // A data plane that is gone is the session's to tell, which lost it too.
  const bool gone = status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                    status.error_code() == grpc::StatusCode::CANCELLED;
  const std::string why = gone ? "" : session::describe(status);
  if (!why.empty() && why != told_) spdlog::warn("{}: no statistics: {}", options_.dataplane, why);
  told_ = why;
}

bool StatisticsSource::Reader::begin(grpc::ClientContext& context) {
  threads::Monitor::Lock lock(mutex_);
  if (stopping_) return false;
  context_ = &context;
  return true;
}

void StatisticsSource::Reader::end() {
  threads::Monitor::Lock lock(mutex_);
  context_ = nullptr;
}

bool StatisticsSource::Reader::wait(absl::Duration duration) {
  threads::Monitor::Lock lock(mutex_);
  lock.wait_for(duration, [this] { return stopping_; });
  return !stopping_;
}

StatisticsSource::StatisticsSource(StatisticsOptions options, LoadListener listener)
    : reader_(std::make_unique<Reader>(std::move(options), std::move(listener))) {}

StatisticsSource::~StatisticsSource() = default;

void StatisticsSource::restart() { reader_->restart(); }

}  // namespace fairlead::sources
