// The configuration at one version, as the workers see it.
//
// Immutable and shared: built by the store with structural sharing (a change copies the few nodes on its way),
// published by swapping one pointer, read by workers without any synchronisation. A worker holds on to a snapshot for
// one turn of its loop at most; connections refer to servers through worker-local state (upstream/), never through a
// snapshot.
#pragma once

#include <array>
#include <cstdint>

#include "base/ref.h"
#include "base/slot_map.h"
#include "config/hash_ring.h"
#include "config/maglev_table.h"
#include "config/model.h"
#include "config/persistence_targets.h"
#include "config/tier_shares.h"

namespace fairlead::config {

// The servers of a backend that may be picked, by weight. Servers that leave their weight to the backend's default
// stand in a class of their own, so that a change of the default touches none of them.
//
// Within a class a server stands at its slot and stays there whatever comes and goes beside it; so the state depends on
// the present members only, and a cursor over slots visits each of them once a round.
class EligibleServers {
 public:
  using Class = base::SlotMap<base::Ref<const Server>>;
  // Weights 1 to kWeightMax by number; kDefaultClass for servers without a weight of their own.
  static constexpr uint32_t kDefaultClass = 0;
  struct Entry {
    uint16_t weight_class;
    // Of this class and those before it together, without the default class: what that weighs, the backend says.
    uint64_t weight_up_to = 0;
    Class servers{};  // never empty
  };
  // Weights that differ by less than a factor of two: 1, 2 and 3, 4 to 7, ..., 256.
  static constexpr unsigned kLevels = 9;
  struct Level {
    uint16_t heaviest;
    Class servers{};
  };

  using ByAge = base::SlotMap<base::Ref<const Server>, Uid>;

  // Adds, or replaces the record of the same uid; removes it where it is not to be picked any more.
  void upsert(const base::Ref<const Server>& before, const base::Ref<const Server>& after);
  void erase(const Server& server);
  // One for each distinct weight in use; sorted by weight class.
  const std::vector<Entry>& classes() const { return classes_; }
  uint64_t size() const { return size_; }
  // Who weighs something, and what all weigh together, where those without a weight weigh so much.
  uint64_t weighing(uint16_t default_weight) const { return default_weight > 0 ? size_ : size_ - defaults(); }
  uint64_t weight(uint16_t default_weight) const {
    return classes_.empty() ? 0 : classes_.back().weight_up_to + uint64_t{defaults()} * default_weight;
  }
  // Of all servers before this class.
  uint64_t weight_before(size_t index, uint16_t default_weight) const {
    return index == 0 ? 0 : classes_[index - 1].weight_up_to + uint64_t{defaults()} * default_weight;
  }
  // The class that has the place `at` below weight(), each server having as many places as it weighs.
  size_t class_at(uint64_t at, uint16_t default_weight) const;
  // Equal where there are as many servers of each weight; where not, different almost surely.
  uint64_t shape() const { return shape_; }
  // Whoever stands at the slot, in whatever class; null for nobody.
  const base::Ref<const Server>* find(Slot slot) const;

  // Whether by_age() is kept: for algorithms that go by it. Beginning to costs a pass over all.
  void keep_by_age(bool keep);
  // All of them by uid, which is by age; empty where it is not kept. Some may weigh nothing, by the backend's default.
  const ByAge& by_age() const { return by_age_; }

  // Whether levels() are kept: for HASH, which searches weights that are near each other together. Beginning to costs a
  // pass over all.
  void keep_levels(bool keep);
  // Those that have a weight of their own, by level; empty where they are not kept.
  const std::vector<Level>& levels() const { return levels_; }

 private:
  Class* level_of(uint16_t weight_class);
  // The class, or those behind it, has become another.
  void count_from(size_t index);
  uint32_t defaults() const {
    return !classes_.empty() && classes_.front().weight_class == kDefaultClass ? classes_.front().servers.size() : 0;
  }

  std::vector<Entry> classes_;
  uint64_t size_ = 0;
  uint64_t shape_ = 0;
  ByAge by_age_;
  std::vector<Level> levels_;
  bool keeps_by_age_ = false;
};

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
