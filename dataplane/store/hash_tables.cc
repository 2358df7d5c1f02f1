#include "store/hash_tables.h"

namespace fairlead::store {
namespace {

// As far as a table goes by it.
bool is_same_in_tables(const config::Server& a, const config::Server& b) {
  return a.name == b.name && a.address == b.address && a.weight == b.weight && a.takes_requests() == b.takes_requests();
}

}  // namespace

HashTables::Shape HashTables::shape_of(const config::Backend& settings) {
  if (!config::hashes_by_table(settings)) return {};
  return {.type = settings.hash.effective_type(),
          .table_size = settings.hash.effective_table_size(),
          .default_weight = settings.effective_default_weight()};
}

void HashTables::take_settings(const config::Backend& settings, const Members& members, const Members& adjusted) {
  Shape shape = shape_of(settings);
  if (shape == shape_) return;
  bool was_there = shape_.type.has_value();
  shape_ = shape;
  is_stale_ = true;
  if (shape.type.has_value() == was_there) return;
  assigned_ = {};
  if (!shape.type) return;
  members.for_each([&](config::Slot slot, const base::Ref<const config::Server>& server) {
    const base::Ref<const config::Server>* other = adjusted.find(slot);
    assigned_.upsert(other ? *other : server);
  });
}

void HashTables::upsert(const base::Ref<const config::Server>& before, const base::Ref<const config::Server>& after) {
  if (!shape_.type) return;
  assigned_.upsert(after);
  if (!before || !is_same_in_tables(*before, *after)) is_stale_ = true;
}

void HashTables::erase(const config::Server& server) {
  if (!shape_.type) return;
  assigned_.erase(server);
  is_stale_ = true;
}

void HashTables::put_into(config::BackendSnapshot& snapshot) {
  if (is_stale_) make_table();
  is_stale_ = false;
  snapshot.ring = ring_;
  snapshot.maglev = maglev_;
  if (shape_.type == config::HashType::kModulo) snapshot.assigned = assigned_;
}

void HashTables::make_table() {
  ring_ = nullptr;
  maglev_ = nullptr;
  if (shape_.type == config::HashType::kRing) {
    auto candidates = config::hash_candidates(assigned_, shape_.default_weight);
    ring_ = base::Ref<const config::HashRing>(new config::HashRing(candidates));
  } else if (shape_.type == config::HashType::kMaglev) {
    auto candidates = config::hash_candidates(assigned_, shape_.default_weight);
    maglev_ = base::Ref<const config::MaglevTable>(new config::MaglevTable(candidates, shape_.table_size));
  }
}

}  // namespace fairlead::store
