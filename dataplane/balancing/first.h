// First: the oldest server that may take the request.
//
// Fills servers one after the other, where they have limits. By uid, so that the order does not depend on slots, which
// are used again. Costs a look at each server before the one that it picks, and gives up after kFirstLooksMax of them:
// where so many are full, a request is not kept waiting. Without state.
#pragma once

#include <cstdint>

#include "config/snapshot.h"

namespace fairlead::balancing {

inline constexpr uint32_t kFirstLooksMax = 4096;

// `allowed(server)`: whether it may take the request. Null where none may, or so many may not. Requires that `eligible`
// is kept by age.
template <typename Allowed>
const config::Server* pick_first(const config::EligibleServers& eligible, uint16_t default_weight, Allowed&& allowed) {
  config::Uid uid = 0;
  uint32_t looks_left = kFirstLooksMax;
  while (const auto* found = eligible.by_age().next_from(uid, uid)) {
    const config::Server& server = **found;
    if (server.weight.value_or(default_weight) > 0) {
      if (allowed(server)) return &server;
      if (--looks_left == 0) return nullptr;
    }
    ++uid;
  }
  return nullptr;
}

}  // namespace fairlead::balancing
