// First: the oldest server that may take the request.
//
// Fills servers one after the other, where they have limits. By uid, so that the order does not depend on slots, which
// are used again. Costs a look at each server before the one that it picks. Without state.
#pragma once

#include <cstdint>

#include "config/snapshot.h"

namespace fairlead::balancing {

// `allowed(server)`: whether it may take the request. Null where none may. Requires that `eligible` is kept by age.
template <typename Allowed>
const config::Server* pick_first(const config::EligibleServers& eligible, uint16_t default_weight, Allowed&& allowed) {
  config::Uid uid = 0;
  while (const auto* found = eligible.by_age().next_from(uid, uid)) {
    const config::Server& server = **found;
    if (server.weight.value_or(default_weight) > 0 && allowed(server)) return &server;
    ++uid;
  }
  return nullptr;
}

}  // namespace fairlead::balancing
