// The calls that are under way: owns each until gRPC is done with it, and ends those that would not end by themselves
// at shutdown. Streams are counted and limited here, and nowhere else. On the executor's thread.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "grpcpp/support/status.h"
#include "management/executor.h"

namespace fairlead::management {

// A unary call or a stream.
class Call {
 public:
  virtual ~Call() = default;
  // With UNAVAILABLE, soon.
  virtual void shut_down() = 0;
  // Of those that wait for the client: where it has been still for too long.
  virtual void end_if_silent(Executor::Clock::time_point) {}
};

class Stream : public Call {
 public:
  // Once, unless it was finished before.
  virtual void begin() = 0;
  // The first status counts.
  virtual void finish(const grpc::Status& status) = 0;
  void shut_down() override;
};

class Streams {
 public:
  // `streams_max`: so many at once.
  explicit Streams(uint32_t streams_max) : streams_max_(streams_max) {}

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
  bool shutting_down_ = false;
  uint32_t streams_ = 0;
  absl::flat_hash_map<Call*, Open> open_;
};

}  // namespace fairlead::management
