#include "store/checks.h"

#include <utility>

namespace fairlead::store {

void Checks::follow(const BackendState& backend, const config::Server& server,
                    const std::shared_ptr<const Origin>& origin) {
  config::Uid uid = server.metadata.uid;
  base::Ref<const Health> health = backend.health_of(server.slot);
  // Nobody asks one that follows another.
  bool is_asked = health && !server.tracks();
  if (!is_asked) forget(uid);
  if (health && origin && health->is_pending()) waiting_[uid] = origin;
  if (!is_asked) return;
  const base::Ref<const config::Server>& member = *backend.members.find(server.slot);
  if (!backend.has_address(member)) return stop(uid);
  checked_.insert(uid);
  orders_.push_back({.backend = backend.settings,
                     .server = server.address.is_name() ? backend.adjusted_of(member) : member,
                     .check = health->check,
                     .in_service = health->is_fit()});
}

void Checks::follow(const BackendState& backend, bool members) {
  if (backend.settings->health_check) {
    send();
    reading_half_.change_checks(backend.settings);
  }
  if (!members) return;
  backend.members.for_each(
      [&](config::Slot, const base::Ref<const config::Server>& server) { follow(backend, *server, nullptr); });
}

void Checks::forget(config::Uid server) {
  waiting_.erase(server);
  stop(server);
}

void Checks::stop(config::Uid server) {
  if (checked_.erase(server) > 0) stops_.push_back(server);
}

void Checks::send() {
  if (!stops_.empty()) reading_half_.stop_checks(std::exchange(stops_, {}));
  if (!orders_.empty()) reading_half_.check(std::exchange(orders_, {}));
}

std::shared_ptr<const Origin> Checks::take_waiting(config::Uid server) {
  auto waiting = waiting_.extract(server);
  return waiting.empty() ? nullptr : std::move(waiting.mapped());
}

}  // namespace fairlead::store
