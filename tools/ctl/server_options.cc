#include "ctl/resource_options.h"

namespace fairlead::ctl {

std::vector<ResourceOption> server_options() {
  return {
      {{.name = "weight", .value = "N", .help = "0 to 256; 0 takes no new requests"}, "weight"},
      {{.name = "max-connections", .value = "N", .help = "most connections at a time"}, "max_connections"},
      {{.name = "min-connections", .value = "N", .help = "its limit under little load; 0: it is always whole"},
       "min_connections"},
      {{.name = "admin-state", .value = "STATE", .help = "ready, drain or maintenance"},
       "admin_state",
       ValueForm::kEnum},
      {{.name = "priority", .value = "N", .help = "0 to 15, the lower the more preferred"}, "priority"},
      {{.name = "backup", .value = "BOOL", .help = "true: only while no other server can"}, "backup", ValueForm::kBool},
      {{.name = "check-disabled", .value = "BOOL", .help = "true: is not checked"},
       "health_check.disabled",
       ValueForm::kBool},
      {{.name = "check-port", .value = "PORT", .help = "where it is checked, on its address"}, "health_check.port"},
      {{.name = "check-address", .value = "ADDRESS", .help = "where it is checked"}, "health_check.address"},
      {{.name = "agent-port", .value = "PORT", .help = "where its agent listens, on its address"},
       "health_check.agent.port",
       ValueForm::kScalar,
       "health_check.agent"},
      {{.name = "agent-address", .value = "ADDRESS", .help = "where its agent listens"},
       "health_check.agent.address",
       ValueForm::kScalar,
       "health_check.agent"},
      {{.name = "track", .value = "BACKEND/SERVER", .help = "whose health is its own; \"\" for none"},
       "health_check.track"},
      labels_option(),
  };
}

}  // namespace fairlead::ctl
