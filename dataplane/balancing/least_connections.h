// Least connections: the server with fewest in flight for its weight, ties in turn.
//
// Exact up to kExactMax servers, all of which are looked at; beyond, best of few (random.h), which is as good as exact
// where there are many. State of one worker for one backend: where the last tie was; at first anywhere, so that workers
// and data planes that begin together do not all begin with the same server. One thread.
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

  // Says where the first tie begins, once.
  void begin(const config::EligibleServers& eligible, base::Random& random) {
    if (begun_ || eligible.size() == 0) return;
    begun_ = true;
    uint64_t left = random.below(eligible.size());
    eligible.members().for_each([&](config::Slot slot, const auto&) {
      if (left-- == 0) last_slot_ = slot;
    });
  }

  // `load_of(server)`: what is in flight there, over all workers. `allowed(server)`: whether it may take the request.
  // Null where none may.
  template <typename LoadOf, typename Allowed>
  const config::Server* pick_exact(const config::EligibleServers& eligible, uint16_t default_weight, LoadOf& load_of,
                                   Allowed& allowed) {
    if (eligible.are_equal(default_weight)) return pick_equal(eligible, load_of, allowed);
    Candidate best;
    eligible.members().for_each([&](config::Slot slot, const auto& server) {
      const uint32_t weight = server->weight.value_or(default_weight);
      if (weight == 0) return;
      const Candidate one{server.get(), slot, load_at(load_of, slot, *server), weight, slot <= last_slot_};
      if (one < best && allowed(*server)) best = one;
    });
    if (best.server) last_slot_ = best.slot;
    return best.server;
  }

 private:
  struct Candidate {
    const config::Server* server = nullptr;
    config::Slot slot = 0;
    uint64_t load = 0;
    uint32_t weight = 1;
    // Not behind the last pick.
    bool is_before = false;

    // By load / weight, without the division, and then by whose turn it is. Nobody is worse than anybody.
    bool operator<(const Candidate& other) const {
      if (!other.server) return true;
      const uint64_t one = load * other.weight;
      const uint64_t two = other.load * weight;
      return one != two ? one < two : !is_before && other.is_before;
    }
  };

  // Loads are compared as a number with whose turn it is below it.
  template <typename LoadOf, typename Allowed>
  const config::Server* pick_equal(const config::EligibleServers& eligible, LoadOf& load_of, Allowed& allowed) {
    const config::Slot last = last_slot_;
    const config::Server* best = nullptr;
    uint64_t least = std::numeric_limits<uint64_t>::max();
    eligible.members().for_each([&](config::Slot slot, const auto& server) {
      const uint64_t order = uint64_t{load_at(load_of, slot, *server)} * 2 + (slot > last ? 0 : 1);
      if (order >= least || !allowed(*server)) return;
      least = order;
      best = server.get();
      last_slot_ = slot;
    });
    return best;
  }

  bool begun_ = false;
  // Unless it began, behind all of them: the first of them is next.
  config::Slot last_slot_ = std::numeric_limits<config::Slot>::max();
};

}  // namespace fairlead::balancing
