// Numbers events, hands them to whoever watches, and keeps the last ones for watchers that come back. Belongs to the
// store's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "store/events.h"

namespace fairlead::store {

// The last that a watcher has seen.
struct WatchPosition {
  config::Version version = 0;
  // The event's number: exact. Without it, or where it is an earlier life's, steps of `version` itself may be told
  // again.
  std::optional<uint64_t> number{};
};

class EventHub {
 public:
  // So many are kept, or less: they go in the batches in which they came.
  static constexpr size_t kKeptMax = 20'000;

  // Numbers go on from the time of day in microseconds, so that those of an earlier life are never taken for ours.
  EventHub()
      : last_number_(
            static_cast<uint64_t>(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now())
                                      .time_since_epoch()
                                      .count())),
        forgotten_number_(last_number_) {}

  // The state begins at this version: of what led there, no event is known.
  void restore(config::Version version) { oldest_version_ = version; }

  void number(std::vector<Event>& events) {
    for (Event& event : events) event.number = ++last_number_;
  }
  // In the order of their numbers.
  void publish(std::vector<Event> events);

  // What was not numbered yet, and what follows.
  void subscribe(const std::shared_ptr<EventQueue>& queue);
  // Everything after `position`; false where that is not known any more, or not yet (`present` is the version now).
  // Then the queue gets nothing.
  bool resume(const std::shared_ptr<EventQueue>& queue, const WatchPosition& position, config::Version present);

  uint64_t last_number() const { return last_number_; }
  // The oldest version that can be resumed after.
  config::Version oldest_version() const { return oldest_version_; }

 private:
  void keep(const EventBatch& batch);

  uint64_t last_number_;
  std::deque<EventBatch> kept_;
  size_t kept_events_ = 0;
  // Of the last event that is not kept any more.
  uint64_t forgotten_number_;
  config::Version oldest_version_ = 0;
  // A watcher that has gone lets go of its queue.
  std::vector<std::shared_ptr<EventQueue>> queues_;
};

}  // namespace fairlead::store
