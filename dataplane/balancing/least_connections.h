// Least connections: the server with fewest in flight for its weight, ties in turn.
//
// Exact up to kExactMax servers, all of which are looked at; beyond, best of few (random.h), which is as good as exact
// where there are many. State of one worker for one backend: where the last tie was. One thread.
#pragma once

#include <cstdint>
#include <tuple>

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
    // The first of the least behind the last pick, and among the others.
    Candidate behind;
    Candidate before;
    for (const auto& entry : eligible.classes()) {
      uint32_t weight = weight_of(entry, default_weight);
      if (weight == 0) continue;
      entry.servers.for_each([&](config::Slot slot, const auto& server) {
        bool is_behind = std::tie(entry.weight_class, slot) > std::tie(last_class_, last_slot_);
        Candidate& best = is_behind ? behind : before;
        Candidate candidate{server.get(), load_of(*server), weight, entry.weight_class};
        if (candidate < best && allowed(*server)) best = candidate;
      });
    }
    const Candidate& best = before < behind ? before : behind;
    if (!best.server) return nullptr;
    last_class_ = best.weight_class;
    last_slot_ = best.server->slot;
    return best.server;
  }

 private:
  struct Candidate {
    const config::Server* server = nullptr;
    uint64_t load = 0;
    uint32_t weight = 1;
    uint16_t weight_class = 0;

    // load / weight, without the division. Nobody is worse than anybody.
    bool operator<(const Candidate& other) const {
      if (!server || !other.server) return server && !other.server;
      return load * other.weight < other.load * weight;
    }
  };

  uint16_t last_class_ = 0;
  config::Slot last_slot_ = 0;
};

}  // namespace fairlead::balancing
