// Hash: a key's server, by the type that the backend has.
//
// CONSISTENT is consistent_hash.h. The others ask a table for the key's servers, one after the other, until one may
// take the request: RING goes on to the next points, MAGLEV and MODULO hash the key again. After kAttemptsMax the key's
// server is the one that it would have with CONSISTENT. Without state.
#pragma once

#include <cstdint>

#include "balancing/consistent_hash.h"
#include "balancing/shares.h"
#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

constexpr uint32_t kAttemptsMax = 128;

// The key hashed again, for another attempt; attempt 0 is the key itself.
inline uint64_t key_of_attempt(uint64_t key, uint32_t attempt) {
  return attempt == 0 ? key : base::split_mix(key + attempt * base::kSplitMixStep);
}

// MODULO: each server has as many remainders as it weighs. Somebody weighs something. Among very many memory is waited
// for: who stands there in `eligible` is fetched together with who stands where.
inline config::Slot slot_of_remainder(const config::EligibleServers& assigned, const config::EligibleServers& eligible,
                                      uint16_t default_weight, uint64_t key) {
  const auto ahead = assigned.fetch_places(key % assigned.weight(default_weight), default_weight);
  eligible.prefetch(ahead);
  return config::EligibleServers::places_at(ahead).slot;
}

// `slot_of(attempt)`: of whom to ask. Null where none of so many may take the request.
template <typename SlotOf, typename Allowed>
const config::Server* pick_first_allowed(const config::EligibleServers& eligible, SlotOf slot_of, Allowed& allowed) {
  for (uint32_t attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto* server = eligible.find(slot_of(attempt));
    if (server && allowed(**server)) return server->get();
  }
  return nullptr;
}

template <typename Allowed>
const config::Server* pick_by_table(const config::BackendSnapshot& backend, const config::EligibleServers& eligible,
                                    uint16_t default_weight, uint64_t key, Allowed& allowed) {
  switch (backend.settings->hash.effective_type()) {
    case config::HashType::kConsistent:
      return nullptr;
    case config::HashType::kRing: {
      if (!backend.ring || backend.ring->empty()) return nullptr;
      const config::HashRing& ring = *backend.ring;
      size_t first = ring.find(static_cast<uint32_t>(key));
      auto slot_of = [&](uint32_t attempt) { return ring.point((first + attempt) % ring.size()).slot; };
      return pick_first_allowed(eligible, slot_of, allowed);
    }
    case config::HashType::kMaglev: {
      if (!backend.maglev || backend.maglev->empty()) return nullptr;
      auto slot_of = [&](uint32_t attempt) { return backend.maglev->slot_of(key_of_attempt(key, attempt)); };
      return pick_first_allowed(eligible, slot_of, allowed);
    }
    case config::HashType::kModulo: {
      if (!has_weight(backend.assigned, default_weight)) return nullptr;
      auto slot_of = [&](uint32_t attempt) {
        return slot_of_remainder(backend.assigned, eligible, default_weight, key_of_attempt(key, attempt));
      };
      return pick_first_allowed(eligible, slot_of, allowed);
    }
  }
  return nullptr;
}

// Among `eligible`, a tier of the backend. Null where nobody may take the request, or too many may not.
template <typename Allowed>
const config::Server* pick_by_hash(const config::BackendSnapshot& backend, const config::EligibleServers& eligible,
                                   uint64_t key, Allowed& allowed) {
  uint16_t default_weight = backend.settings->effective_default_weight();
  if (const config::Server* server = pick_by_table(backend, eligible, default_weight, key, allowed)) return server;
  return pick_consistent(eligible, default_weight, key, allowed);
}

}  // namespace fairlead::balancing
