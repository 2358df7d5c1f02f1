#include "upstream/upstreams.h"

#include <algorithm>
#include <utility>

namespace fairlead::upstream {

Upstreams::~Upstreams() = default;

void Upstreams::adopt(const config::Snapshot* snapshot) {
  snapshot_ = snapshot;
  if (snapshot->counting_since != std::exchange(counting_since_, snapshot->counting_since)) begin_counting();
  busy_.for_each([snapshot](Line& line) { line.look_at(*snapshot); });
}

// At once, not when a backend is next used: others go by what is counted as soon as the snapshot holds.
void Upstreams::begin_counting() {
  for (auto& backend : backends_) {
    if (!backend) continue;
    const config::BackendSnapshot* members = snapshot_->find({backend->settings().slot, backend->uid()});
    if (members && members->counts_in_flight) backend->begin_counting(members->counts_total);
  }
}

Upstreams::Found Upstreams::find(config::BackendHandle handle) {
  const config::BackendSnapshot* members = snapshot_->find(handle);
  if (!members) return {};
  if (handle.slot >= backends_.size()) backends_.resize(std::max<size_t>(handle.slot + 1, backends_.size() * 2));
  auto& holder = backends_[handle.slot];
  if (holder && holder->uid() != handle.uid) [[unlikely]] {
    leaving_.push_back(std::exchange(holder, nullptr));
    forget_leaving();
  }
  if (!holder) [[unlikely]]
    holder = std::make_unique<Backend>(loop_, random_, shared_, busy_, tls_, members->settings);
  holder->refresh(members->settings);
  return {holder.get(), members};
}

Backend* Upstreams::known(config::BackendHandle handle) {
  if (handle.slot < backends_.size() && backends_[handle.slot] && backends_[handle.slot]->uid() == handle.uid) {
    return backends_[handle.slot].get();
  }
  auto same = std::ranges::find(leaving_, handle.uid, [](auto& backend) { return backend->uid(); });
  return same == leaving_.end() ? nullptr : same->get();
}

void Upstreams::drain(config::BackendHandle handle, config::Slot slot, config::Uid server, DrainRequest request) {
  Backend* backend = known(handle);
  if (!backend) return request.done(0);
  backend->drain(slot, server, std::move(request));
}

void Upstreams::cancel_drain(config::BackendHandle handle, config::Slot slot, config::Uid server) {
  if (Backend* backend = known(handle)) backend->cancel_drain(slot, server);
}

void Upstreams::close_connections(config::BackendHandle handle, config::Slot slot, config::Uid server) {
  if (Backend* backend = known(handle)) backend->close_connections(slot, server);
}

void Upstreams::close_idle_connections(config::BackendHandle handle, config::Slot slot, config::Uid server) {
  if (Backend* backend = known(handle)) backend->close_idle_connections(slot, server);
}

void Upstreams::follow_settings(config::BackendHandle handle) {
  const config::BackendSnapshot* members = snapshot_->find(handle);
  Backend* backend = known(handle);
  if (members && backend) backend->refresh(members->settings);
}

std::vector<OutcomeCounts> Upstreams::take_outcomes(config::BackendHandle handle) {
  std::vector<OutcomeCounts> result;
  if (Backend* backend = known(handle)) backend->take_outcomes(result);
  return result;
}

bool Upstreams::is_over(const Backend& backend) const {
  return !snapshot_->find({backend.settings().slot, backend.uid()}) && backend.is_unused();
}

void Upstreams::forget_leaving() {
  std::erase_if(leaving_, [this](const std::unique_ptr<Backend>& backend) { return is_over(*backend); });
}

void Upstreams::forget_deleted() {
  for (auto& backend : backends_) {
    if (backend && is_over(*backend)) backend.reset();
  }
  forget_leaving();
}

observe::Traffic Upstreams::traffic(config::BackendHandle handle) {
  Backend* backend = known(handle);
  return backend ? backend->traffic() : observe::Traffic();
}

observe::Traffic Upstreams::traffic(config::BackendHandle handle, config::Slot slot, config::Uid server) {
  Backend* backend = known(handle);
  return backend ? backend->traffic(slot, server) : observe::Traffic();
}

std::vector<observe::BackendStatistics> Upstreams::statistics(bool servers) {
  forget_deleted();
  std::vector<Backend*> present;
  auto note = [&](const std::unique_ptr<Backend>& backend) {
    if (backend) present.push_back(backend.get());
  };
  std::ranges::for_each(backends_, note);
  std::ranges::for_each(leaving_, note);
  std::ranges::sort(present, {}, &Backend::uid);
  std::vector<observe::BackendStatistics> result;
  result.reserve(present.size());
  for (Backend* backend : present) {
    result.push_back(backend->statistics(servers));
    const config::BackendSnapshot* members = snapshot_->find({backend->settings().slot, backend->uid()});
    if (!members) continue;
    result.back().panic = members->panic;
    result.back().on_backups = members->on_backups;
    result.back().discovered = members->discovered;
  }
  return result;
}

}  // namespace fairlead::upstream
