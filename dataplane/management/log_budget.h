// How often a line may be logged that clients cause: ten in a second, so that they cannot fill a disk. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace fairlead::management {

class LogBudget {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kLines = 10;

  // Nothing: this line is left out. Else how many were, since the last one that was not.
  std::optional<uint64_t> take(Clock::time_point now = Clock::now()) {
    std::lock_guard lock(mutex_);
    if (now >= began_ + std::chrono::seconds(1)) {
      began_ = now;
      lines_ = 0;
    }
    if (lines_ == kLines) {
      ++left_out_;
      return std::nullopt;
    }
    ++lines_;
    uint64_t left_out = left_out_;
    left_out_ = 0;
    return left_out;
  }

 private:
  std::mutex mutex_;
  Clock::time_point began_{};  // guarded by mutex_, as all of these
  int lines_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace fairlead::management
