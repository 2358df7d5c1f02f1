// Least connections: the server with fewest in flight for its weight, ties in turn.
//
// Exact up to kExactMax servers, all of which are looked at; beyond, best of few (random.h), which is as good as exact
// where there are many. State of one worker for one backend: where the last tie was. One thread.
#pragma once

#include <cstdint>
#include <limits>

#include "balancing/random.h"
#include "balancing/shares.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

class LeastConnections {
 public:
  static constexpr uint64_t kExactMax = 64;

  static bool is_exact(const config::EligibleServers& eligible) { return eligible.size() <= kExactMax; }

  // `load_of(server)`: what is in flight there, over all workers. `allowed(server)`: whether it may take the request.
  // Null where none may.
  template <typename LoadOf, typename Allowed>
  const config::Server* pick_exact(const config::EligibleServers& eligible, uint16_t default_weight, LoadOf& load_of,
                                   Allowed& allowed) {
    Candidate best;
    for (const auto& entry : eligible.classes()) {
      uint32_t weight = weight_of(entry, default_weight);
      if (weight == 0) continue;
      // Of a class the one with the least load, ties in turn: who stands behind the last pick goes before the others.
      // Loads are compared as a number with that below it.
      const config::Slot last = entry.weight_class < last_class_   ? std::numeric_limits<config::Slot>::max()
                                : entry.weight_class > last_class_ ? config::Slot{0}
                                                                   : last_slot_;
      const bool all_behind = entry.weight_class > last_class_;
      Candidate of_class{.weight = weight, .weight_class = entry.weight_class};
      uint64_t least = std::numeric_limits<uint64_t>::max();
      entry.servers.for_each([&](config::Slot slot, const auto& server) {
        uint64_t load = load_at(load_of, slot, *server);
        uint64_t order = load * 2 + (all_behind || slot > last ? 0 : 1);
        if (order >= least || !allowed(*server)) return;
        least = order;
        of_class.server = server.get();
        of_class.slot = slot;
      });
      if (!of_class.server) continue;
      of_class.load = least / 2;
      of_class.is_before = least % 2 != 0;
      if (of_class < best) best = of_class;
    }
    if (!best.server) return nullptr;
    last_class_ = best.weight_class;
    last_slot_ = best.slot;
    return best.server;
  }

 private:
  struct Candidate {
    const config::Server* server = nullptr;
    config::Slot slot = 0;
    uint64_t load = 0;
    uint32_t weight = 1;
    uint16_t weight_class = 0;
    // Not behind the last pick.
    bool is_before = false;

    // By load / weight, without the division, and then by whose turn it is. Nobody is worse than anybody.
    bool operator<(const Candidate& other) const {
      if (!other.server) return true;
      uint64_t one = load * other.weight;
      uint64_t two = other.load * weight;
      return one != two ? one < two : !is_before && other.is_before;
    }
  };

  uint16_t last_class_ = 0;
  config::Slot last_slot_ = 0;
};

}  // namespace fairlead::balancing
