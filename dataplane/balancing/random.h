// Best of few: of some servers drawn by weight, the one with less load for its weight than the others.
//
// Two choices instead of one make the longest queue exponentially shorter (M. Mitzenmacher, "The power of two choices
// in randomized load balancing", 2001), without anybody keeping an order of all servers. Without state.
#pragma once

#include <concepts>
#include <cstdint>

#include "balancing/shares.h"
#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

// A server's place in EligibleServers.
struct Draw {
  const config::Server* server = nullptr;
  size_t class_index = 0;
  uint32_t rank = 0;
  uint32_t weight = 0;
  config::Slot slot = 0;
};

// By weight, among all but `except` (which may be empty: among all). Empty where there is nobody.
Draw draw_by_weight(const config::EligibleServers& eligible, uint16_t default_weight, const Draw& except,
                    base::Random& random);

// A load that can be multiplied by a weight.
template <typename Load>
auto wide(Load load) {
  if constexpr (std::integral<Load>)
    return uint64_t{load};
  else
    return load;
}

// What will be looked at soon, so that the memory of several servers is waited for at once and not one after the other.
// `table` may know how to fetch what it has of a slot.
template <typename Table>
void fetch(const Draw& draw, const Table& table) {
  __builtin_prefetch(draw.server);
  __builtin_prefetch(&draw.server->metadata);
  if constexpr (requires { table.prefetch(draw.slot); }) table.prefetch(draw.slot);
}

// `load_of(server)`: what is in flight there, or another number of what is less where it is better. Null where nothing
// is eligible.
// Each draw but the first is among all but the best so far.
template <typename LoadOf>
const config::Server* pick_best_of(uint32_t draws, const config::EligibleServers& eligible, uint16_t default_weight,
                                   base::Random& random, LoadOf& load_of) {
  Draw best = draw_by_weight(eligible, default_weight, {}, random);
  if (!best.server || draws < 2) return best.server;
  fetch(best, load_of);
  Draw other = draw_by_weight(eligible, default_weight, best, random);
  if (!other.server) return best.server;
  fetch(other, load_of);
  auto best_load = wide(load_of(*best.server));
  while (true) {
    auto other_load = wide(load_of(*other.server));
    // load / weight, without the division.
    if (other_load * best.weight < best_load * other.weight) {
      best = other;
      best_load = other_load;
    }
    if (--draws < 2) return best.server;
    other = draw_by_weight(eligible, default_weight, best, random);
  }
}

}  // namespace fairlead::balancing
