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
#include "config/model.h"

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
    Class servers;  // never empty
  };

  // Adds, or replaces the record of the same uid; removes it where it is not to be picked any more.
  void upsert(const base::Ref<const Server>& before, const base::Ref<const Server>& after);
  void erase(const Server& server);
  // Few: one for each distinct weight in use; sorted by weight class.
  const std::vector<Entry>& classes() const { return classes_; }
  uint64_t size() const;

 private:
  std::vector<Entry> classes_;
};

// A backend's settings and its members, which change apart from each other.
struct BackendSnapshot : base::RefCounted {
  base::Ref<const Backend> settings;
  EligibleServers eligible;
};

struct Snapshot : base::RefCounted {
  // Two snapshots with different content have different versions: what was looked up in one need not be looked up again
  // in another of the same version.
  Version version = 0;
  base::SlotMap<base::Ref<const Listener>> listeners;
  base::SlotMap<base::Ref<const BackendSnapshot>> backends;

  // Null where the slot is free or somebody else's by now.
  const BackendSnapshot* find(BackendHandle handle) const;
  const Listener* find_listener(Slot slot, Uid uid) const;
};

}  // namespace fairlead::config
