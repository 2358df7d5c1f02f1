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
  // Nobody weighs nothing.
  uint32_t weight = 0;
  config::Slot slot = 0;

  bool empty() const { return weight == 0; }
};

// Where weights differ.
Draw draw_among_classes(const config::EligibleServers& eligible, uint16_t default_weight, const Draw& except,
                        base::Random& random);

// By weight, among all but `except` (which may be empty: among all). Empty where there is nobody.
// Nothing in it waits for the memory of `except`'s server, so that two draws wait together.
inline Draw draw_by_weight(const config::EligibleServers& eligible, uint16_t default_weight, const Draw& except,
                           base::Random& random) {
  const auto& classes = eligible.classes();
  if (classes.size() != 1) return draw_among_classes(eligible, default_weight, except, random);
  const uint32_t weight = weight_of(classes.front(), default_weight);
  const uint32_t among = classes.front().servers.size() - (except.empty() ? 0 : 1);
  if (weight == 0 || among == 0) return {};
  auto rank = static_cast<uint32_t>(random.below(among));
  if (!except.empty()) rank += rank >= except.rank ? 1 : 0;
  config::Slot slot = 0;
  const config::Server* server = classes.front().servers.nth(rank, slot)->get();
  return {server, 0, rank, weight, slot};
}

// A load that can be multiplied by a weight.
template <typename Load>
auto wide(Load load) {
  if constexpr (std::integral<Load>)
    return uint64_t{load};
  else
    return load;
}

// What will be looked at soon, so that the memory of several servers is waited for at once and not one after the other.
// `table` may know how to fetch what it has of a slot, and then need no record.
template <typename Table>
void fetch(const Draw& draw, const Table& table) {
  if constexpr (requires { table.prefetch(draw.slot); }) table.prefetch(draw.slot);
  if constexpr (!requires(Table& asked) { asked.at(draw.slot, *draw.server); }) {
    __builtin_prefetch(draw.server);
    __builtin_prefetch(&draw.server->metadata);
  }
}

// What load_of(server) gives, or load_of.at(slot, server), which need not read the record.
template <typename LoadOf>
auto load_at(LoadOf& load_of, config::Slot slot, const config::Server& server) {
  if constexpr (requires { load_of.at(slot, server); }) {
    return load_of.at(slot, server);
  } else {
    return load_of(server);
  }
}

// `load_of(server)`: what is in flight there, or another number of what is less where it is better. Null where nothing
// is eligible.
// Each draw but the first is among all but the best so far.
template <typename LoadOf>
const config::Server* pick_best_of(uint32_t draws, const config::EligibleServers& eligible, uint16_t default_weight,
                                   base::Random& random, LoadOf& load_of) {
  Draw best = draw_by_weight(eligible, default_weight, {}, random);
  if (best.empty() || draws < 2) return best.server;
  fetch(best, load_of);
  Draw other = draw_by_weight(eligible, default_weight, best, random);
  if (other.empty()) return best.server;
  fetch(other, load_of);
  auto best_load = wide(load_at(load_of, best.slot, *best.server));
  while (true) {
    auto other_load = wide(load_at(load_of, other.slot, *other.server));
    // load / weight, without the division.
    const bool other_is_better = other_load * best.weight < best_load * other.weight;
    // Chosen, not branched on: who wins cannot be foreseen, and what comes after the pick need not wait for the loads.
    if (--draws < 2) return other_is_better ? other.server : best.server;
    if (other_is_better) {
      best = other;
      best_load = other_load;
    }
    other = draw_by_weight(eligible, default_weight, best, random);
  }
}

}  // namespace fairlead::balancing
