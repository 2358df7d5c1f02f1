// A backend as it changes: its settings and members with the indexes that a change needs, and what workers see of them
// by what is known of each: health, ejection, the address of its name. Belongs to the store's thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/container/btree_set.h"
#include "config/snapshot.h"
#include "store/discovery.h"
#include "store/ejection.h"
#include "store/hash_tables.h"
#include "store/health.h"
#include "store/newcomers.h"
#include "store/persistence_index.h"
#include "store/resolution.h"
#include "store/slot_allocator.h"
#include "store/starters.h"
#include "store/tiers.h"
#include "store/views.h"

namespace fairlead::store {

// The members of a backend by name: a pointer each, because there may be a million. The backend's `members` own them.
class ServersByName {
 public:
  struct Less {
    using is_transparent = void;
    static std::string_view name(const config::Server* server) { return server->name; }
    static std::string_view name(std::string_view name) { return name; }
    bool operator()(const auto& a, const auto& b) const { return name(a) < name(b); }
  };
  using Set = absl::btree_set<const config::Server*, Less>;
  using Iterator = Set::const_iterator;

  // Null for none.
  const config::Server* find(std::string_view name) const {
    Iterator at = set_.find(name);
    return at == set_.end() ? nullptr : *at;
  }
  Iterator lower_bound(std::string_view name) const { return set_.lower_bound(name); }
  Iterator begin() const { return set_.begin(); }
  Iterator end() const { return set_.end(); }
  bool empty() const { return set_.empty(); }

  void insert(const config::Server& server) { set_.insert(&server); }
  // Cheaper where it is the last by name, as it often is when all of them come in the order in which they were made.
  void append(const config::Server& server) { set_.insert(set_.end(), &server); }
  void erase(const config::Server& server) { set_.erase(set_.find(std::string_view(server.name))); }

 private:
  Set set_;
};

struct BackendState {
  base::Ref<const config::Backend> settings;
  Tiers tiers;
  Starters starters;
  Newcomers newcomers;
  // In the last snapshot.
  Tiers::Use use;
  // Backups have been in use since servers that are none last took all requests.
  bool were_on_backups = false;
  HashTables hash_tables;
  PersistenceIndex persistence;
  Members members;
  ServersByName by_name;
  SlotAllocator slots;
  // Deleted servers that have a slot still.
  uint64_t departing = 0;
  // Members with a limit of their own, or of their agent's, and with one that grows.
  config::OwnLimits own_limits;
  // Of members that are checked.
  HealthBySlot health;
  // Of members that have names.
  ResolutionBySlot resolutions;
  // How many have one.
  uint64_t named = 0;
  // Of members whose agents want another weight or limit for them, and of those whose names have an address: the
  // records that the workers see.
  Members adjusted;
  // Of members, or of who was one: what holds is ejection_of()'s to say.
  EjectionBySlot ejections;
  // How many of the checked ones are pending, and down.
  uint64_t pending = 0;
  uint64_t down = 0;
  // Null where nobody asks DNS for its servers.
  base::Ref<const DiscoveryState> discovery;
  // Members that DNS names.
  uint64_t discovered = 0;

  config::BackendHandle handle() const { return {settings->slot, settings->metadata.uid}; }
  const base::Ref<const config::Server>* find(std::string_view name) const;
  // What is picked from follows the settings. `own_zone` outlives this.
  void take_settings(base::Ref<const config::Backend> record, const std::string& own_zone);
  // Members that are configuration.
  uint64_t configured() const { return members.size() - discovered; }
  // Null for a member that is not checked.
  base::Ref<const Health> health_of(config::Slot slot) const;
  // Null for a member that has no name, or of whose name nothing is known.
  base::Ref<const Resolution> resolution_of(config::Slot slot) const;
  // By what is known of a member.
  Tiers::Standing standing_of(config::Slot slot) const;
  // False: its name has none.
  bool has_address(const base::Ref<const config::Server>& record) const {
    return !record->address.is_name() || !adjusted_of(record)->address.is_name();
  }
  // A member's record with what its agent wants, and with the address that its name has.
  const base::Ref<const config::Server>& adjusted_of(const base::Ref<const config::Server>& record) const;
  // Null for a member that is not ejected.
  base::Ref<const Ejection> ejection_of(const config::Server& record) const;
  // Its record as workers see it; null where nobody at this slot takes requests.
  base::Ref<const config::Server> taking_requests(config::Slot slot) const;
  // How many are ejected that would take requests otherwise; costs a look at each that is ejected.
  uint64_t count_ejected() const;
  // How many would take requests if nobody were ejected.
  uint64_t would_take_requests() const;
  // It is ejected, or (null) is not any more.
  void set_ejection(config::Slot slot, base::Ref<const Ejection> ejection);
  // The same, where clients may come back to it whom persistence leads there; else null.
  base::Ref<const config::Server> kept_of(const base::Ref<const config::Server>& record) const;
  // A member's record, and what is known of it, take the place of what they were (null: none), and all that follows
  // from them.
  void place(const base::Ref<const config::Server>& before, const base::Ref<const config::Server>& after,
             base::Ref<const Health> health_after, base::Ref<const Resolution> resolution_after);

 private:
  // Before a change.
  void note_newcomer(config::Slot slot);
  void adjust(const config::Server& record, const Health* health_now, const Resolution* resolution_now);
  // Counts a member, or (-1) counts it no more.
  void count(const base::Ref<const config::Server>& record, uint64_t change);
};

}  // namespace fairlead::store
