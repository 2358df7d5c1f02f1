// What HASH goes by beside the eligible servers, for one backend: all servers that take requests whatever their health,
// and the table that RING or MAGLEV makes of them. Tables are made when a snapshot is, where their servers changed
// since the last one. Belongs to the store's thread.
#pragma once

#include <optional>

#include "config/snapshot.h"

namespace fairlead::store {

class HashTables {
 public:
  using Members = base::SlotMap<base::Ref<const config::Server>>;

  // The backend's settings are these from now on, and `members` all its servers, in place of which the workers see some
  // `adjusted` records.
  void take_settings(const config::Backend& settings, const Members& members, const Members& adjusted);
  // As config::EligibleServers.
  void upsert(const base::Ref<const config::Server>& before, const base::Ref<const config::Server>& after);
  void erase(const config::Server& server);

  void put_into(config::BackendSnapshot& snapshot);

 private:
  // What a table follows from beside its servers.
  struct Shape {
    // Unset: there is none.
    std::optional<config::HashType> type;
    uint32_t table_size = 0;
    uint16_t default_weight = 0;
    bool operator==(const Shape&) const = default;
  };
  static Shape shape_of(const config::Backend& settings);
  void make_table();

  Shape shape_;
  // Empty where there is no table.
  config::EligibleServers assigned_;
  // The table does not follow from these two any more.
  bool is_stale_ = false;
  base::Ref<const config::HashRing> ring_;
  base::Ref<const config::MaglevTable> maglev_;
};

}  // namespace fairlead::store
