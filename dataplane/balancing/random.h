// Random of two: of two servers drawn by weight, the one with less load for its weight.
//
// Two choices instead of one make the longest queue exponentially shorter (M. Mitzenmacher, "The power of two choices
// in randomized load balancing", 2001), without anybody keeping an order of all servers. Without state.
#pragma once

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
};

// By weight, among all but `except` (which may be empty: among all). Empty where there is nobody.
Draw draw_by_weight(const config::EligibleServers& eligible, uint16_t default_weight, const Draw& except,
                    base::Random& random);

// `load_of(server)`: what this worker has in flight there. Null where nothing is eligible.
template <typename LoadOf>
const config::Server* pick_random_of_two(const config::EligibleServers& eligible, uint16_t default_weight,
                                         base::Random& random, LoadOf& load_of) {
  Draw first = draw_by_weight(eligible, default_weight, {}, random);
  if (!first.server) return nullptr;
  Draw second = draw_by_weight(eligible, default_weight, first, random);
  if (!second.server) return first.server;
  // load / weight, without the division.
  uint64_t first_load = uint64_t{load_of(*first.server)} * second.weight;
  uint64_t second_load = uint64_t{load_of(*second.server)} * first.weight;
  return second_load < first_load ? second.server : first.server;
}

}  // namespace fairlead::balancing
