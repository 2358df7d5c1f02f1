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
  // Of all members anew. `fit_of(member)`: its record, where what is known of it does not forbid that it takes requests;
  // else null.
  template <typename FitOf>
  void build(const Members& members, const FitOf& fit_of) {
    targets_ = {};
    if (!shape_.is_on) return;
    members.for_each([&](config::Slot, const base::Ref<const config::Server>& server) {
      base::Ref<const config::Server> fit = fit_of(server);
      upsert(nullptr, fit ? fit : server, bool(fit));
    });
  }

  // A member was added or changed.
  void upsert(const base::Ref<const config::Server>& before, const base::Ref<const config::Server>& after, bool is_fit);
  // It is no member any more.
  void erase(const config::Server& server);
  void put_into(config::BackendSnapshot& snapshot) const { snapshot.persistence = targets_; }

 private:
  void set_fit(const base::Ref<const config::Server>& server, bool is_fit);

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
