// What a transaction wants of the world beside the model, when it is on disk.
#include <algorithm>
#include <utility>

#include "store/writer.h"

namespace fairlead::store {

void Writer::perform_effects() {
  // Performing adds events, not effects.
  std::vector<Effect> effects = std::exchange(effects_.effects, {});
  // What opens before what closes: an address that goes from one listener to another is never without.
  for (bool opens : {true, false}) {
    for (const Effect& effect : effects) {
      if (std::holds_alternative<AcceptListener>(effect) != opens) continue;
      std::visit([this](const auto& what) { perform(what); }, effect);
    }
  }
  apply_known_names();
  names_.send();
  checks_.send();
}

void Writer::perform(const AcceptListener& effect) {
  const base::Ref<const config::Listener>* listener = model_.find_listener(effect.slot);
  if (!listener || (*listener)->metadata.uid != effect.uid) return;
  accepting_.insert(effect.uid);
  reading_half_.accept(effect.slot, effect.uid);
}

void Writer::perform(const StopListener& effect) {
  if (accepting_.erase(effect.uid) > 0) {
    reading_half_.stop_accepting(effect.uid);
  } else {
    reading_half_.unbind(effect.uid);
  }
}

void Writer::perform(const CloseAddresses& effect) {
  if (!accepting_.contains(effect.uid)) return;
  const base::Ref<const config::Listener>* listener = model_.find_listener(effect.slot);
  std::vector<config::Endpoint> closed = effect.bound;
  if (listener && (*listener)->metadata.uid == effect.uid) {
    std::erase_if(closed, [&](const config::Endpoint& endpoint) {
      return std::ranges::find((*listener)->bound, endpoint) != (*listener)->bound.end();
    });
  }
  if (!closed.empty()) reading_half_.close_addresses(effect.uid, closed);
}

void Writer::perform(const DrainDeparting& effect) {
  checks_.forget(effect.uid);
  names_.forget(effect.uid);
  const DepartingServer* departing = model_.find_departing(effect.uid);
  if (!departing) return;
  perform(ForgetEjections{departing->handle, departing->record->slot, effect.uid});
  drains_.depart(*departing);
}

void Writer::perform(const FollowCheck& effect) {
  const config::Server* server = model_.find_member(effect.backend, effect.slot, effect.uid);
  if (server) checks_.follow(*model_.find_backend_at(effect.backend.slot), *server, effect.origin);
}

void Writer::perform(const FollowChecks& effect) {
  if (const BackendState* backend = model_.find_backend(effect.backend)) checks_.follow(*backend, effect.members);
}

void Writer::perform(const ForgetEjections& effect) {
  BackendState* backend = model_.find_backend(effect.backend);
  if (!backend) return observations_.stop(effect.backend.uid);
  if (effect.uid == 0) return model_.forget_ejections(*backend);
  const base::Ref<const Ejection>* known = backend->ejections.find(effect.slot);
  if (known && (*known)->server == effect.uid) model_.note_ejection(*backend, effect.slot, nullptr);
  observations_.forget(effect.backend.uid, effect.uid);
}

void Writer::perform(const CloseConnections& effect) {
  if (effect.idle_only) return reading_half_.close_idle_connections(effect.backend, effect.slot, effect.uid);
  reading_half_.close_connections(effect.backend, effect.slot, effect.uid);
}

void Writer::perform(const FollowName& effect) {
  const config::Server* server = model_.find_member(effect.backend, effect.slot, effect.uid);
  if (!server) return;
  std::string_view host = server->address.is_name() ? server->address.host() : std::string_view();
  names_.follow(effect.backend, effect.uid, host, effect.origin);
  if (!names_.known(host)) return;
  std::pair<config::BackendHandle, std::string> followed{effect.backend, host};
  if (std::ranges::find(followed_names_, followed) == followed_names_.end()) {
    followed_names_.push_back(std::move(followed));
  }
}

void Writer::perform(const FollowAdminState& effect) {
  const config::Server* server = model_.find_member(effect.backend, effect.slot, effect.uid);
  if (!server) return;
  const BackendState& backend = *model_.find_backend_at(effect.backend.slot);
  v1::Lifecycle entered = drains_.follow_admin_state(backend, *server, effect.origin);
  if (entered == v1::LIFECYCLE_UNSPECIFIED) return;
  // It may have to pass a check first, or to get an address.
  const base::Ref<const config::Server>& seen = backend.adjusted_of(*backend.members.find(server->slot));
  if (entered == v1::LIFECYCLE_READY) entered = lifecycle_of(*seen, false, backend.health_of(server->slot).get());
  add_step({backend.settings->name, server->name, server->metadata.uid, entered}, effect.origin);
}

}  // namespace fairlead::store
