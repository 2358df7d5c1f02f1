// Servers of one backend that may have begun to take requests since the last publication, where connections are opened
// to such ones (ConnectionPool.warm). Belongs to the store's thread.
#pragma once

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "config/model.h"

namespace fairlead::store {

class Newcomers {
 public:
  // Something changes about whoever stands at this slot: `before`, where that takes requests, else null. Of several
  // changes the first says who took requests in the last publication.
  void note(config::Slot slot, base::Ref<const config::Server> before) { before_.try_emplace(slot, std::move(before)); }

  // Calls begins(server) for each that takes requests now and did not in the last publication, or not at this address.
  // `now`: gives who takes requests at a slot, or null.
  template <typename Now, typename Begins>
  void take(Now now, Begins begins) {
    for (auto& [slot, before] : std::exchange(before_, {})) {
      base::Ref<const config::Server> after = now(slot);
      if (!after) continue;
      bool went_on = before && before->metadata.uid == after->metadata.uid && before->address == after->address;
      if (!went_on) begins(*after);
    }
  }

 private:
  absl::flat_hash_map<config::Slot, base::Ref<const config::Server>> before_;
};

}  // namespace fairlead::store
