// The calls that are under way: owns each until gRPC is done with it, and ends those that would not end by themselves
// at shutdown. Streams are counted and limited here, and nowhere else. On the executor's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"
#include "management/executor.h"

namespace fairlead::management {

// A unary call or a stream.
class Call {
 public:
  virtual ~Call() = default;
  // With UNAVAILABLE, soon.
  virtual void shut_down() = 0;
  // Of those that wait for the client: where it has been still for longer than `silence`.
  virtual void end_if_silent(Executor::Clock::time_point, std::chrono::nanoseconds /*silence*/) {}
};

class Stream : public Call {
 public:
  explicit Stream(grpc::CallbackServerContext& call) : call_(&call) {}

  // Once, unless it was finished before.
  virtual void begin() = 0;
  // The first status counts. It goes out behind what was written before; a client that does not read that within
  // `silence` is cut off, and the stream is gone.
  void finish(const grpc::Status& status);
  void shut_down() override;
  void end_if_silent(Executor::Clock::time_point now, std::chrono::nanoseconds silence) final;

 protected:
  bool finished() const { return finished_; }
  // gRPC is done with the stream, and the call's context goes. In OnDone, on gRPC's thread.
  void let_go();

 private:
  virtual void send_end(const grpc::Status& status) = 0;
  // finish() is to be called where the client has been still for too long.
  virtual void check_silence(Executor::Clock::time_point, std::chrono::nanoseconds /*silence*/) {}

  std::mutex mutex_;
  grpc::CallbackServerContext* call_;  // guarded by mutex_; null when gRPC is done
  bool finished_ = false;
  Executor::Clock::time_point finished_at_;
};

class Streams {
 public:
  // `streams_max`: so many at once. `silence`: so long a client may be still where it is its turn.
  Streams(uint32_t streams_max, std::chrono::nanoseconds silence) : streams_max_(streams_max), silence_(silence) {}

  void add(std::shared_ptr<Call> call);
  // It begins, or ends with RESOURCE_EXHAUSTED where there are too many.
  void begin(const std::shared_ptr<Stream>& stream);
  void remove(Call* call);
  void shut_down();
  // To be called now and then.
  void end_silent(Executor::Clock::time_point now);

 private:
  struct Open {
    std::shared_ptr<Call> call;
    bool is_counted = false;
  };

  const uint32_t streams_max_;
  const std::chrono::nanoseconds silence_;
  bool shutting_down_ = false;
  uint32_t streams_ = 0;
  absl::flat_hash_map<Call*, Open> open_;
};

}  // namespace fairlead::management
