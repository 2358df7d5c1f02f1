#include "config/snapshot.h"

namespace fairlead::config {

const base::Ref<const Server>* BackendSnapshot::find_eligible(Slot slot) const {
  const base::Ref<const Server>* found = eligible.find(slot);
  for (size_t i = 0; !found && i < further.size(); ++i) found = further[i].eligible.find(slot);
  return found;
}

const Server* BackendSnapshot::find_kept(Slot slot, Uid uid) const {
  const Server* kept = persistence.at(slot, uid);
  if (kept || !panic) return kept;
  const base::Ref<const Server>* found = find_eligible(slot);
  return found && (*found)->metadata.uid == uid ? found->get() : nullptr;
}

const Server* BackendSnapshot::find_kept(CookieValue value) const {
  const Server* kept = persistence.with_value(value);
  if (kept || !panic) return kept;
  return persistence.with_value(value, [this](Slot slot) { return find_eligible(slot); });
}

const BackendSnapshot* Snapshot::find(BackendHandle handle) const {
  const base::Ref<const BackendSnapshot>* backend = backends.find(handle.slot);
  if (!backend || (*backend)->settings->metadata.uid != handle.uid) return nullptr;
  return backend->get();
}

const Listener* Snapshot::find_listener(Slot slot, Uid uid) const {
  const base::Ref<const Listener>* listener = listeners.find(slot);
  if (!listener || (*listener)->metadata.uid != uid) return nullptr;
  return listener->get();
}

}  // namespace fairlead::config
