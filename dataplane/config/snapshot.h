// The configuration at one version, as the workers see it.
//
// Immutable and shared: built by the store with structural sharing (a change copies the few nodes on its way),
// published by swapping one pointer, read by workers without any synchronisation. A worker holds on to a snapshot for
// one turn of its loop at most; connections refer to servers through worker-local state (upstream/), never through a
// snapshot.
#pragma once

#include <cstdint>

#include "base/ref.h"
#include "base/slot_map.h"
#include "config/eligible_servers.h"
#include "config/hash_ring.h"
#include "config/maglev_table.h"
#include "config/model.h"
#include "config/persistence_targets.h"
#include "config/tier_shares.h"

namespace fairlead::config {

constexpr bool goes_by_latency(Algorithm algorithm) {
  return algorithm == Algorithm::kPeakEwma || algorithm == Algorithm::kPrequal;
}

constexpr bool goes_by_age(Algorithm algorithm) {
  return algorithm == Algorithm::kFirst || algorithm == Algorithm::kSticky;
}

// By a table that is made of all servers which take requests, whether they are healthy or not: who is not eligible is
// passed over, and has its keys again when it is.
constexpr bool hashes_by_table(const Backend& backend) {
  return backend.effective_algorithm() == Algorithm::kHash && backend.hash.effective_type() != HashType::kConsistent;
}

constexpr bool bounds_load(const Backend& backend) {
  return backend.effective_algorithm() == Algorithm::kHash && backend.hash.effective_balance_factor() > 0;
}

// Servers that are preferred alike, and the part of the backend's requests that goes to them (tier_shares.h).
struct Tier {
  uint8_t rank = 0;
  // Of TierShares::kWhole. 0: only what the others cannot take goes there, and to backups not even that.
  uint32_t share = TierShares::kWhole;
  EligibleServers eligible;
};

// A backend's settings and its members, which change apart from each other.
struct BackendSnapshot : base::RefCounted {
  // In which it became as it is, or a later one.
  Revision revision = 0;
  base::Ref<const Backend> settings;
  // Of the most preferred tier that has any,
  EligibleServers eligible;
  uint8_t rank = 0;
  uint32_t share = TierShares::kWhole;
  // and of the others that have, by rank.
  std::vector<Tier> further;
  // By slot, where servers start slowly: when they began to, by the clock of workers' loops. Some may be through with
  // it.
  base::SlotMap<Duration> starting;
  // Where it hashes: MODULO,
  EligibleServers assigned;
  // RING,
  base::Ref<const HashRing> ring;
  // MAGLEV.
  base::Ref<const MaglevTable> maglev;
  // Empty without persistence.
  PersistenceTargets persistence;
  // What is in flight on its servers is counted over all workers: the algorithm goes by that, or a server or the
  // backend's default has a limit.
  bool counts_in_flight = false;
  // And what all of them have together: for bounded load, or for a ramp of limits.
  bool counts_total = false;
  // So few servers are healthy that all take requests; backups do.
  bool panic = false;
  bool on_backups = false;
  // How many of its members DNS names.
  uint64_t discovered = 0;

  // Of whatever tier; null for nobody.
  const base::Ref<const Server>* find_eligible(Slot slot) const;
  // Whom clients may come back to; in panic that is everybody who may be picked as well. Null for nobody.
  const Server* find_kept(Slot slot, Uid uid) const;
  const Server* find_kept(CookieValue value) const;
};

// How many servers of the backend, whatever their state, have a limit of their own, and how many one that grows.
struct OwnLimits {
  uint64_t limited = 0;
  uint64_t ramped = 0;
};

constexpr bool has_to_count_total(const Backend& backend, const OwnLimits& own) {
  return bounds_load(backend) || backend.has_ramp() || (backend.may_ramp() && own.ramped > 0);
}

constexpr bool has_to_count(const Backend& backend, const OwnLimits& own) {
  return backend.effective_algorithm() == Algorithm::kLeastConnections || has_to_count_total(backend, own) ||
         backend.default_max_connections.value_or(0) > 0 || own.limited > 0;
}

struct Snapshot : base::RefCounted {
  // Of the configuration, which health is no part of.
  Version version = 0;
  // Two snapshots with different content have different revisions: what was looked up in one need not be looked up
  // again in another of the same revision.
  Revision revision = 0;
  // In which a backend last began to count what is in flight: what began before has to be counted as well.
  Revision counting_since = 0;
  base::SlotMap<base::Ref<const Listener>> listeners;
  base::SlotMap<base::Ref<const BackendSnapshot>> backends;

  // Null where the slot is free or somebody else's by now.
  const BackendSnapshot* find(BackendHandle handle) const;
  const Listener* find_listener(Slot slot, Uid uid) const;
};

}  // namespace fairlead::config
