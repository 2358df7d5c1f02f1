#include "store/event_hub.h"

#include <utility>

namespace fairlead::store {

void EventHub::publish(std::vector<Event> events) {
  if (events.empty()) return;
  auto batch = std::make_shared<const std::vector<Event>>(std::move(events));
  // Our own reference is the last one: whoever watched has gone.
  std::erase_if(queues_, [](const std::shared_ptr<EventQueue>& queue) { return queue.use_count() == 1; });
  for (const std::shared_ptr<EventQueue>& queue : queues_) queue->push(batch);
  keep(batch);
}

// Steps of the last version that goes may be spread over what goes and what stays, so one resumes after the next.
void EventHub::keep(const EventBatch& batch) {
  kept_.push_back(batch);
  kept_events_ += batch->size();
  while (kept_events_ > kKeptMax) {
    const std::vector<Event>& oldest = *kept_.front();
    kept_events_ -= oldest.size();
    forgotten_number_ = oldest.back().number;
    oldest_version_ = oldest.back().version + 1;
    kept_.pop_front();
  }
}

void EventHub::subscribe(const std::shared_ptr<EventQueue>& queue) {
  queue->start_after({.version = 0, .number = last_number_});
  queues_.push_back(queue);
}

bool EventHub::resume(const std::shared_ptr<EventQueue>& queue, const WatchPosition& position,
                      config::Version present) {
  if (position.version > present) return false;
  // The number of an event of an earlier life says nothing here; what follows its version does.
  if (position.number && *position.number >= forgotten_number_) {
    if (*position.number > last_number_) return false;
    queue->start_after({.version = 0, .number = *position.number});
  } else {
    if (position.version < oldest_version_) return false;
    queue->start_after({.version = position.version, .number = forgotten_number_});
  }
  for (const EventBatch& batch : kept_) queue->push(batch);
  queues_.push_back(queue);
  return true;
}

}  // namespace fairlead::store
