// How many operations are unanswered on a stream, and how many may be (Limits.unanswered_operations). Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <utility>

#include "fairlead/v1/management.pb.h"

namespace fairlead::session {

// What a request takes of the window.
inline std::uint64_t operations_of(const fairlead::v1::StreamUpdatesRequest& request) {
  return request.has_transaction() ? static_cast<std::uint64_t>(request.transaction().operations_size()) : 1;
}

class Window {
 public:
  // Without limits.
  Window() = default;
  // 0: the data plane names none.
  explicit Window(std::uint64_t operations) {
    if (operations > 0) most_ = operations;
  }

  // One request may always be under way, even one that is larger than the window.
  bool has_room(std::uint64_t operations) const { return unanswered_.empty() || operations_ + operations <= most_; }
  void sent(std::uint64_t id, std::uint64_t operations) {
    unanswered_.emplace_back(id, operations);
    operations_ += operations;
  }
  // Results come in order, and one may stand for all before it.
  void answered(std::uint64_t id) {
    while (!unanswered_.empty() && unanswered_.front().first <= id) {
      operations_ -= unanswered_.front().second;
      unanswered_.pop_front();
    }
  }

 private:
  std::uint64_t most_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t operations_ = 0;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> unanswered_;
};

}  // namespace fairlead::session
