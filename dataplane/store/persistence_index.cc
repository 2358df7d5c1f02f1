#include "store/persistence_index.h"

namespace fairlead::store {

bool PersistenceIndex::take_settings(const config::Backend& settings) {
  Shape shape{.is_on = settings.persistence.has_value(), .key = std::nullopt};
  if (shape.is_on && settings.persistence->cookie) shape.key = settings.persistence->cookie->key;
  if (shape == shape_) return true;
  shape_ = std::move(shape);
  backend_ = settings.name;
  return false;
}

void PersistenceIndex::upsert(const base::Ref<const config::Server>& before,
                              const base::Ref<const config::Server>& after,
                              const base::Ref<const config::Server>& kept) {
  if (!shape_.is_on) return;
  // A member keeps its name and its slot.
  if (!before && shape_.key) {
    targets_.put_value(config::cookie_value(*shape_.key, backend_, after->name), after->slot);
  }
  if (kept && kept->admin_state != config::AdminState::kMaintenance) {
    targets_.put(kept);
  } else {
    targets_.drop(after->slot);
  }
}

void PersistenceIndex::erase(const config::Server& server) {
  if (!shape_.is_on) return;
  if (shape_.key) targets_.drop_value(config::cookie_value(*shape_.key, backend_, server.name), server.slot);
  targets_.drop(server.slot);
}

}  // namespace fairlead::store
