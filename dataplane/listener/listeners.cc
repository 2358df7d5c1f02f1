#include "listener/listeners.h"

#include <algorithm>

namespace fairlead::listener {

OpenListener* Listeners::find(config::Uid listener) {
  auto found = std::ranges::find(open_, listener, [](auto& open) { return open->uid(); });
  return found == open_.end() ? nullptr : found->get();
}

void Listeners::accept(base::Ref<const config::Listener> record, std::vector<BoundSocket> sockets,
                       std::shared_ptr<proxy::SharedListener> of_all_workers) {
  OpenListener* listener = find(record->metadata.uid);
  if (!listener) {
    open_.push_back(std::make_unique<OpenListener>(context_, std::move(record), std::move(of_all_workers)));
    listener = open_.back().get();
  }
  for (BoundSocket& socket : sockets) listener->accept_on(std::move(socket));
}

void Listeners::close_address(config::Uid listener, const config::Endpoint& endpoint) {
  if (OpenListener* open = find(listener)) open->close_address(endpoint);
}

void Listeners::leave_address(const config::Endpoint& endpoint) {
  for (auto& open : open_) open->leave_address(endpoint);
}

void Listeners::copy_sockets(const std::function<void(config::Uid, OpenListener::SocketCopy)>& take) {
  for (auto& open : open_) {
    if (open->is_finishing()) continue;
    for (OpenListener::SocketCopy& copy : open->copy_sockets()) take(open->uid(), std::move(copy));
  }
}

void Listeners::finish(config::Uid listener, runtime::Duration idle_grace) {
  OpenListener* open = find(listener);
  if (!open || open->is_finishing()) return;
  open->finish(idle_grace);
  leaving_.spawn(see_off(*open));
}

runtime::Task<void> Listeners::see_off(OpenListener& listener) {
  co_await listener.join();
  std::erase_if(open_, [&](auto& open) { return open.get() == &listener; });
}

void Listeners::finish_all(runtime::Duration idle_grace) {
  std::vector<config::Uid> all;
  for (auto& open : open_) all.push_back(open->uid());
  for (config::Uid listener : all) finish(listener, idle_grace);
}

void Listeners::shed() {
  for (auto& open : open_) open->shed();
}

void Listeners::cut_off_all() {
  for (auto& open : open_) open->cut_off();
}

std::vector<observe::ListenerStatistics> Listeners::statistics() const {
  std::vector<observe::ListenerStatistics> result;
  for (auto& open : open_) result.push_back(open->statistics());
  std::ranges::sort(result, {}, &observe::ListenerStatistics::uid);
  return result;
}

}  // namespace fairlead::listener
