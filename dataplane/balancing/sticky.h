// Sticky: one server takes all until it goes. Then the oldest one does, and keeps it when the former comes back.
//
// As HAProxy's `balance sticky`: for what works best in one place, such as a cache or a writer, with others in reserve.
// What the one may not take (it is full, or was tried) goes to the oldest that may, and changes nothing.
#pragma once

#include <cstdint>

#include "balancing/first.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

// Who takes all, for one that asks alone. Others share theirs.
class StickyHolder {
 public:
  // 0: nobody yet.
  config::Uid uid() const { return uid_; }
  // The server `gone`, which was the one, may not be picked any more, and `next` is to be. Returns who is the one now.
  config::Uid elect(config::Uid gone, config::Uid next) {
    if (uid_ == gone) uid_ = next;
    return uid_;
  }

 private:
  config::Uid uid_ = 0;
};

// As pick_first(). `Holder` is a StickyHolder or does what it does; another may have elected meanwhile.
template <typename Holder, typename Allowed>
const config::Server* pick_sticky(const config::EligibleServers& eligible, uint16_t default_weight, Holder&& holder,
                                  Allowed&& allowed) {
  auto find = [&](config::Uid uid) -> const config::Server* {
    const auto* found = eligible.by_age().find(uid);
    return found && (*found)->weight.value_or(default_weight) > 0 ? found->get() : nullptr;
  };
  config::Uid uid = holder.uid();
  const config::Server* server = find(uid);
  if (!server) {
    const config::Server* oldest = pick_first(eligible, default_weight, [](const config::Server&) { return true; });
    if (!oldest) return nullptr;
    server = find(holder.elect(uid, oldest->metadata.uid));
    if (!server) server = oldest;
  }
  return allowed(*server) ? server : pick_first(eligible, default_weight, allowed);
}

}  // namespace fairlead::balancing
