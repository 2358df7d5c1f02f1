// Whether a client is too slow: a token bucket of time. Pure.
//
// It begins with all of the grace. Waiting for the client takes from it, bytes give back the time in which a client
// that is just fast enough would have sent them. When it is empty the client has been slower than it may for as long as
// it may.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/time.h"

namespace fairlead::proxy {

class Pace {
 public:
  // There is no minimum.
  Pace() = default;
  // `rate`: in bytes for each second; 0: no minimum.
  Pace(uint32_t rate, runtime::Duration grace) : rate_(rate), grace_(grace), left_(grace) {}

  bool is_set() const { return rate_ != 0; }
  // When to stop waiting for bytes of the client, where a wait until `deadline` begins now.
  runtime::TimePoint read_until(runtime::TimePoint now, runtime::TimePoint deadline) const {
    return is_set() ? std::min(deadline, now + left_) : deadline;
  }
  // When so many bytes must have been written to it.
  runtime::TimePoint written_by(runtime::TimePoint now, size_t bytes) const {
    return is_set() ? now + left_ + time_of(bytes) : runtime::kNever;
  }
  // Whether a wait since `began` for so many bytes ended because it did.
  bool has_run_out(runtime::TimePoint began, runtime::TimePoint now, size_t bytes = 0) const {
    return is_set() && began + left_ + time_of(bytes) <= now;
  }
  // So many bytes moved, for which it was waited so long.
  void moved(size_t bytes, runtime::Duration waited) {
    if (!is_set()) return;
    left_ = std::min(left_ - std::min(waited, left_ + time_of(bytes)) + time_of(bytes), grace_);
  }

 private:
  runtime::Duration time_of(size_t bytes) const {
    return runtime::Duration(static_cast<int64_t>(bytes) * 1'000'000'000 / static_cast<int64_t>(rate_));
  }

  uint32_t rate_ = 0;
  runtime::Duration grace_{};
  runtime::Duration left_{};
};

}  // namespace fairlead::proxy
