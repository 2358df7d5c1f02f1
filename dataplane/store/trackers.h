// Which servers follow which other's health, by the names that they give: of those that are not there as well. Belongs
// to the store's thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "config/model.h"
#include "config/text.h"

namespace fairlead::store {

// A member, which may have left since.
struct MemberPlace {
  config::BackendHandle backend;
  config::Slot slot = 0;
  bool operator==(const MemberPlace&) const = default;
  template <typename H>
  friend H AbslHashValue(H hash, const MemberPlace& place) {
    return H::combine(std::move(hash), place.backend.uid, place.slot);
  }
};

class Trackers {
 public:
  // `follower` follows `target` ("backend/server") from now on,
  void add(const std::string& target, MemberPlace follower) {
    followers_[target].insert(follower);
    due_.insert(follower);
  }
  // or no more.
  void remove(const std::string& target, MemberPlace follower) {
    auto at = followers_.find(target);
    at->second.erase(follower);
    if (at->second.empty()) followers_.erase(at);
  }
  // Something about this server has changed.
  void note(std::string_view backend, std::string_view server) {
    if (followers_.empty()) return;
    auto at = followers_.find(config::concat(backend, "/", server));
    if (at != followers_.end()) due_.insert(at->second.begin(), at->second.end());
  }
  // Those whose health may not be that of their targets any more.
  absl::flat_hash_set<MemberPlace> take_due() { return std::exchange(due_, {}); }

 private:
  absl::flat_hash_map<std::string, absl::flat_hash_set<MemberPlace>> followers_;
  absl::flat_hash_set<MemberPlace> due_;
};

}  // namespace fairlead::store
