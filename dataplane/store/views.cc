#include "store/views.h"

#include <algorithm>

namespace fairlead::store {

v1::Lifecycle lifecycle_of(const config::Server& server, bool drained) {
  switch (server.admin_state.value_or(config::AdminState::kReady)) {
    case config::AdminState::kReady:
      return v1::LIFECYCLE_READY;
    case config::AdminState::kDrain:
      return drained ? v1::LIFECYCLE_DRAINED : v1::LIFECYCLE_DRAINING;
    case config::AdminState::kMaintenance:
      return v1::LIFECYCLE_MAINTENANCE;
  }
  return v1::LIFECYCLE_UNSPECIFIED;
}

uint32_t effective_weight_of(const config::Server& server, const config::Backend& backend) {
  return server.takes_requests() ? server.weight.value_or(backend.effective_default_weight()) : 0;
}

ServerView Everything::view(const Group& group, const base::Ref<const config::Server>& server) const {
  bool is_drained = std::ranges::binary_search(drained, server->metadata.uid);
  return {group.backend.record->name, server, lifecycle_of(*server, is_drained),
          effective_weight_of(*server, *group.backend.record), std::nullopt};
}

}  // namespace fairlead::store
