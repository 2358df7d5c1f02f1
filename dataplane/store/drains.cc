#include "store/drains.h"

#include <algorithm>
#include <utility>

namespace fairlead::store {

void Drains::depart(const DepartingServer& server) {
  order({.backend = server.handle,
         .slot = server.record->slot,
         .server = server.record->metadata.uid,
         .timeout = server.timeout,
         .jitter = server.jitter,
         .leaves = true},
        {.number = 0,
         .backend = server.handle,
         .backend_name = server.backend_name,
         .name = server.record->name,
         .admin_state = std::nullopt,
         .origin = server.origin});
}

v1::Lifecycle Drains::follow_admin_state(const BackendState& backend, const config::Server& server,
                                         std::shared_ptr<const Origin> origin) {
  config::Uid uid = server.metadata.uid;
  config::AdminState wanted = server.admin_state.value_or(config::AdminState::kReady);
  auto current = orders_.find(uid);
  if (wanted == config::AdminState::kReady) {
    if (current == orders_.end()) return v1::LIFECYCLE_UNSPECIFIED;
    erase(uid);
    reading_half_.cancel_drain(backend.handle(), server.slot, uid);
    return v1::LIFECYCLE_READY;
  }
  if (current != orders_.end() && current->second.admin_state == wanted) return v1::LIFECYCLE_UNSPECIFIED;
  DrainOrder drain{.backend = backend.handle(), .slot = server.slot, .server = uid, .timeout = std::nullopt};
  if (wanted == config::AdminState::kMaintenance) drain.timeout = config::Duration::zero();
  order(drain, {.number = 0,
                .backend = backend.handle(),
                .backend_name = backend.settings->name,
                .name = server.name,
                .admin_state = wanted,
                .origin = std::move(origin)});
  return wanted == config::AdminState::kDrain ? v1::LIFECYCLE_DRAINING : v1::LIFECYCLE_UNSPECIFIED;
}

void Drains::put(config::Uid server, Order order) {
  erase(server);
  if (order.is_draining_member()) ++draining_members_[order.backend.uid];
  orders_.emplace(server, std::move(order));
}

void Drains::erase(config::Uid server) {
  auto at = orders_.find(server);
  if (at == orders_.end()) return;
  if (at->second.is_draining_member()) {
    auto count = draining_members_.find(at->second.backend.uid);
    if (--count->second == 0) draining_members_.erase(count);
  }
  orders_.erase(at);
}

// An order that is not answered yet is answered when all that follow it are, and with what was cut off since it was
// given; theirs would leave out the workers that had finished before. So its answer stays the one that counts.
void Drains::order(const DrainOrder& drain, Order order) {
  uint64_t number = ++last_number_;
  auto current = orders_.find(drain.server);
  bool is_answered = current == orders_.end() || current->second.done;
  order.number = is_answered ? number : current->second.number;
  put(drain.server, std::move(order));
  // The inbox may outlive the store, `this` does not: tasks are run by the store only.
  reading_half_.drain(drain, [this, number, inbox = inbox_](Drained drained) {
    inbox->post_fact([this, number, drained] { on_drained(number, drained); });
  });
}

void Drains::on_drained(uint64_t number, const Drained& drained) {
  auto at = orders_.find(drained.server);
  if (at == orders_.end() || at->second.number != number) return;
  Order order = at->second;
  Ended ended{drained.server, drained.cut_off, !order.admin_state, order.backend_name, order.name, {}, order.origin};
  if (!order.admin_state) {
    ended.lifecycle = v1::LIFECYCLE_REMOVED;
    erase(drained.server);
  } else {
    ended.lifecycle =
        *order.admin_state == config::AdminState::kDrain ? v1::LIFECYCLE_DRAINED : v1::LIFECYCLE_MAINTENANCE;
    order.done = true;
    put(drained.server, std::move(order));
  }
  on_ended_(ended);
}

bool Drains::is_drained(config::Uid uid) const {
  auto at = orders_.find(uid);
  return at != orders_.end() && at->second.done;
}

std::vector<config::Uid> Drains::drained() const {
  std::vector<config::Uid> result;
  for (const auto& [uid, order] : orders_) {
    if (order.done) result.push_back(uid);
  }
  std::ranges::sort(result);
  return result;
}

v1::Lifecycle Drains::Order::lifecycle() const {
  if (admin_state == config::AdminState::kMaintenance) return v1::LIFECYCLE_MAINTENANCE;
  return done ? v1::LIFECYCLE_DRAINED : v1::LIFECYCLE_DRAINING;
}

absl::flat_hash_map<config::Uid, v1::Lifecycle> Drains::lifecycles() const {
  absl::flat_hash_map<config::Uid, v1::Lifecycle> result;
  for (const auto& [uid, order] : orders_) result.emplace(uid, order.lifecycle());
  return result;
}

uint64_t Drains::draining_members(config::Uid backend) const {
  auto at = draining_members_.find(backend);
  return at == draining_members_.end() ? 0 : at->second;
}

}  // namespace fairlead::store
