// Which servers of one backend clients may come back to, kept beside those that may be picked. Without persistence
// there is nothing in it. Belongs to the store's thread.
#pragma once

#include <optional>

#include "config/snapshot.h"

namespace fairlead::store {

class PersistenceIndex {
 public:
  using Members = base::SlotMap<base::Ref<const config::Server>>;

  // The backend's settings are these from now on. False: build() has to follow, as the index is of something else.
  bool take_settings(const config::Backend& settings);
  bool is_on() const { return shape_.is_on; }
  // Of all members anew. `kept(member)`: its record as the workers see it; null where what is known of the member
  // forbids that clients come back.
  template <typename Kept>
  void build(const Members& members, const Kept& kept) {
    targets_ = {};
    if (!shape_.is_on) return;
    members.for_each(
        [&](config::Slot, const base::Ref<const config::Server>& server) { upsert(nullptr, server, kept(server)); });
  }

  // A member was added or changed, or what is known of it.
  void upsert(const base::Ref<const config::Server>& before, const base::Ref<const config::Server>& after,
              const base::Ref<const config::Server>& kept);
  // It is no member any more.
  void erase(const config::Server& server);

  void put_into(config::BackendSnapshot& snapshot) const { snapshot.persistence = targets_; }

 private:
  struct Shape {
    bool is_on = false;
    // Where there is a cookie.
    std::optional<base::SipKey> key;
    bool operator==(const Shape&) const = default;
  };

  Shape shape_;
  std::string backend_;
  config::PersistenceTargets targets_;
};

}  // namespace fairlead::store
