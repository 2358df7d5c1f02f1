// What a weight class of eligible servers is worth.
#pragma once

#include <algorithm>
#include <cstdint>

#include "config/snapshot.h"

namespace fairlead::balancing {

// Of each server in the class; 0 only in the default class, where the backend's default is 0.
inline uint32_t weight_of(uint16_t weight_class, uint16_t default_weight) {
  return weight_class == config::EligibleServers::kDefaultClass ? default_weight : weight_class;
}

// Whether any server may be picked.
inline bool has_weight(const config::EligibleServers& eligible, uint16_t default_weight) {
  return eligible.weight(default_weight) > 0;
}

// Whether any server of the backend may be picked.
inline bool has_weight(const config::BackendSnapshot& backend) {
  uint16_t default_weight = backend.settings->effective_default_weight();
  return has_weight(backend.eligible, default_weight) ||
         std::ranges::any_of(backend.further,
                             [&](const config::Tier& tier) { return has_weight(tier.eligible, default_weight); });
}

}  // namespace fairlead::balancing
