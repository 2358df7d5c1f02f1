#include "store/views.h"

#include <algorithm>

namespace fairlead::store {

v1::Lifecycle lifecycle_of(const config::Server& server, bool drained, const Health* health) {
  bool is_pending = server.address.is_name() || (health && health->state == Health::State::kPending);
  switch (server.admin_state.value_or(config::AdminState::kReady)) {
    case config::AdminState::kReady:
      return is_pending ? v1::LIFECYCLE_PENDING : v1::LIFECYCLE_READY;
    case config::AdminState::kDrain:
      return drained ? v1::LIFECYCLE_DRAINED : v1::LIFECYCLE_DRAINING;
    case config::AdminState::kMaintenance:
      return v1::LIFECYCLE_MAINTENANCE;
  }
  return v1::LIFECYCLE_UNSPECIFIED;
}

uint32_t effective_weight_of(const config::Server& server, const config::Backend& backend, const Health* health) {
  bool is_fit = !server.address.is_name() && (!health || health->is_fit());
  return is_fit && server.takes_requests() ? server.weight.value_or(backend.effective_default_weight()) : 0;
}

std::string discovered_by(const config::Server& server, const config::Backend& backend) {
  if (!server.is_discovered()) return {};
  // One that still drains when its backend has none any more.
  return backend.discovery ? backend.discovery->text() : "-";
}

v1::Health health_of(const Health* health) {
  switch (seen(health)) {
    case SeenHealth::kUnknown:
      return v1::HEALTH_UNKNOWN;
    case SeenHealth::kUp:
      return v1::HEALTH_UP;
    case SeenHealth::kDown:
      return v1::HEALTH_DOWN;
  }
  return v1::HEALTH_UNSPECIFIED;
}

ServerView Everything::view(const Group& group, const base::Ref<const config::Server>& server) const {
  bool is_drained = std::ranges::binary_search(drained, server->metadata.uid);
  const base::Ref<const Health>* known = group.health.find(server->slot);
  const Health* health = known ? known->get() : nullptr;
  const base::Ref<const Ejection>* ejection = group.ejections.find(server->slot);
  bool is_ejected = ejection && group.backend.record->outlier_detection && (*ejection)->is_of(*server);
  const base::Ref<const config::Server>* adjusted = group.adjusted.find(server->slot);
  const config::Server& seen = adjusted ? **adjusted : *server;
  const base::Ref<const Resolution>* resolution = group.resolutions.find(server->slot);
  return {.backend = group.backend.record->name,
          .record = server,
          .lifecycle = lifecycle_of(seen, is_drained, health),
          .effective_weight = is_ejected ? 0 : effective_weight_of(seen, *group.backend.record, health),
          .health = base::Ref<const Health>(health),
          .ejection = is_ejected ? *ejection : nullptr,
          .resolution = resolution ? *resolution : base::Ref<const Resolution>(),
          .discovered_by = discovered_by(*server, *group.backend.record)};
}

}  // namespace fairlead::store
