// Slow start: a server that has just begun to take requests is passed over in part of the picks that would be its.
//
// Which ones is drawn, so that shares are right for any algorithm that picks by weight; with a key it follows from the
// key, so that a server's keys come to it one after the other and none goes back and forth. State of one pick.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

// The part of its full share that a server has now, above 0 and at most 1. `now`: by the clock of `backend.starting`.
inline double part_of(const config::BackendSnapshot& backend, const config::Server& server, config::Duration now) {
  if (backend.starting.empty()) [[likely]]
    return 1;
  const config::Duration* since = backend.starting.find(server.slot);
  return since ? backend.settings->slow_start.part_after(now - *since) : 1;
}

// What a server's `limit` is with that part of its share; 0 stays none.
inline uint32_t limit_of(double part, uint32_t limit) {
  return part >= 1 ? limit : static_cast<uint32_t>(std::ceil(limit * part));
}

class SlowStart {
 public:
  SlowStart(const config::BackendSnapshot& backend, config::Duration now, base::Random& random,
            std::optional<uint64_t> key)
      : backend_(backend), now_(now), random_(random), key_(key) {}

  // Whether a pick of it holds.
  bool admits(const config::Server& server) {
    double part = part_of(backend_, server, now_);
    if (part >= 1) return true;
    uint64_t chance = key_ ? base::split_mix(*key_ ^ server.metadata.uid) : random_.next();
    return static_cast<double>(chance >> 11) * 0x1p-53 < part;
  }
  // What it has in flight, as if its weight were less: for who goes by load alone.
  uint64_t scaled(const config::Server& server, uint64_t load) const {
    double part = part_of(backend_, server, now_);
    return part >= 1 ? load : static_cast<uint64_t>(std::llround((static_cast<double>(load) + 1) / part)) - 1;
  }

 private:
  const config::BackendSnapshot& backend_;
  const config::Duration now_;
  base::Random& random_;
  const std::optional<uint64_t> key_;
};

}  // namespace fairlead::balancing
