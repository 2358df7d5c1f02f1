// Best of few: of some servers drawn by weight, the one with less load for its weight than the others.
//
// Two choices instead of one make the longest queue exponentially shorter (M. Mitzenmacher, "The power of two choices
// in randomized load balancing", 2001), without anybody keeping an order of all servers.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>

#include "balancing/log2.h"
#include "balancing/shares.h"
#include "base/choose.h"
#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

// Where a draw fell among EligibleServers.
struct Place {
  size_t class_index = 0;
  uint32_t rank = 0;
  // Nobody weighs nothing.
  uint32_t weight = 0;

  bool empty() const { return weight == 0; }
};

// And who stands there.
struct Draw : Place {
  const config::Server* server = nullptr;
  config::Slot slot = 0;
};

// Where weights differ.
Place place_among_classes(const config::EligibleServers& eligible, uint16_t default_weight, const Place& except,
                          uint64_t number);

// By weight, among all but `except` (which may be empty: among all); `number` is a random one. Empty where there is
// nobody.
inline Place place_by_weight(const config::EligibleServers& eligible, uint16_t default_weight, const Place& except,
                             uint64_t number) {
  const auto& classes = eligible.classes();
  if (classes.size() != 1) return place_among_classes(eligible, default_weight, except, number);
  const uint32_t weight = weight_of(classes.front(), default_weight);
  const uint32_t among = classes.front().servers.size() - (except.empty() ? 0 : 1);
  if (weight == 0 || among == 0) return {};
  auto rank = static_cast<uint32_t>(base::Random::scaled(number, among));
  if (!except.empty()) rank += rank >= except.rank ? 1 : 0;
  return {0, rank, weight};
}

// Nothing in it waits for the memory of `except`'s server, so that two draws wait together.
inline Draw draw_by_weight(const config::EligibleServers& eligible, uint16_t default_weight, const Place& except,
                           uint64_t number) {
  const Place place = place_by_weight(eligible, default_weight, except, number);
  if (place.empty()) return {};
  config::Slot slot = 0;
  const config::Server* server = eligible.classes()[place.class_index].servers.nth(place.rank, slot)->get();
  return {place, server, slot};
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

// Less load for its weight, without a division.
inline bool is_less(uint64_t load, const Place& place, uint64_t other_load, const Place& other) {
  return load * other.weight < other_load * place.weight;
}
inline bool is_less(Log2 load, const Place& place, Log2 other_load, const Place& other) {
  return load.value - log2_of(place.weight) < other_load.value - log2_of(other.weight);
}

// Where weights are equal.
inline bool is_less(uint64_t load, uint64_t other_load) { return load < other_load; }
inline bool is_less(Log2 load, Log2 other_load) { return load.value < other_load.value; }

// Best of servers of one weight, of whom there are some: their loads are compared as they are.
template <typename LoadOf, typename NextNumber>
const config::Server* pick_best_of_equals(uint32_t draws, const config::EligibleServers::Class& servers,
                                          NextNumber& next_number, LoadOf& load_of) {
  const uint32_t size = servers.size();
  auto at_rank = [&](uint32_t rank) {
    Draw draw;
    draw.rank = rank;
    draw.server = servers.nth(rank, draw.slot)->get();
    return draw;
  };
  auto any_but = [&](const Draw& except) {
    auto rank = static_cast<uint32_t>(base::Random::scaled(next_number(), size - 1));
    return at_rank(rank + (rank >= except.rank ? 1 : 0));
  };
  Draw best = at_rank(static_cast<uint32_t>(base::Random::scaled(next_number(), size)));
  if (draws < 2 || size < 2) return best.server;
  Draw other = any_but(best);
  fetch(best, load_of);
  fetch(other, load_of);
  auto best_load = load_at(load_of, best.slot, *best.server);
  while (true) {
    auto other_load = load_at(load_of, other.slot, *other.server);
    const bool other_is_better = is_less(other_load, best_load);
    // What comes after the pick need not wait for the loads.
    if (--draws < 2) return base::choose(other_is_better, other.server, best.server);
    if (other_is_better) {
      best = other;
      best_load = other_load;
    }
    other = any_but(best);
  }
}

// `load_of(server)`: what is in flight there, or another number of what is less where it is better. `next_number()`: a
// random one. Null where nothing is eligible.
// Each draw but the first is among all but the best so far.
template <typename LoadOf, typename NextNumber>
const config::Server* pick_best_of(uint32_t draws, const config::EligibleServers& eligible, uint16_t default_weight,
                                   NextNumber&& next_number, LoadOf& load_of) {
  const auto& classes = eligible.classes();
  if (classes.size() == 1 && weight_of(classes.front(), default_weight) > 0) [[likely]] {
    return pick_best_of_equals(draws, classes.front().servers, next_number, load_of);
  }
  Draw best = draw_by_weight(eligible, default_weight, {}, next_number());
  if (best.empty() || draws < 2) return best.server;
  fetch(best, load_of);
  Draw other = draw_by_weight(eligible, default_weight, best, next_number());
  if (other.empty()) return best.server;
  fetch(other, load_of);
  auto best_load = load_at(load_of, best.slot, *best.server);
  while (true) {
    auto other_load = load_at(load_of, other.slot, *other.server);
    const bool other_is_better = is_less(other_load, other, best_load, best);
    if (--draws < 2) return base::choose(other_is_better, other.server, best.server);
    if (other_is_better) {
      best = other;
      best_load = other_load;
    }
    other = draw_by_weight(eligible, default_weight, best, next_number());
  }
}

// Best of few among so many that looking at one means to wait for memory: numbers are drawn a few picks ahead, and what
// they lead to is fetched meanwhile. Members that change in between cost that wait and no more, since nothing is kept
// but numbers. State of one worker for one backend. One thread.
class BestOfMany {
 public:
  // With fewer, all of them are at hand.
  static constexpr uint64_t kFew = 1024;

  template <typename LoadOf>
  const config::Server* pick(uint32_t draws, const config::EligibleServers& eligible, uint16_t default_weight,
                             base::Random& random, LoadOf& load_of) {
    if (eligible.size() <= kFew) [[likely]]
      return pick_best_of(draws, eligible, default_weight, random, load_of);
    if (!begun_) [[unlikely]]
      begin(random);
    Numbers& numbers = ahead_[next_];
    size_t used = 0;
    auto next_number = [&] { return used < numbers.size() ? numbers[used++] : random.next(); };
    const config::Server* server = pick_best_of(draws, eligible, default_weight, next_number, load_of);
    for (uint64_t& number : numbers) number = random.next();
    fetch_ahead(numbers, eligible, default_weight, load_of);
    next_ = (next_ + 1) % kAhead;
    return server;
  }

 private:
  // Picks that follow each other at once wait together for so many looks.
  static constexpr size_t kAhead = 4;
  using Numbers = std::array<uint64_t, 2>;

  void begin(base::Random& random) {
    for (Numbers& numbers : ahead_) {
      for (uint64_t& number : numbers) number = random.next();
    }
    begun_ = true;
  }

  template <typename LoadOf>
  static void fetch_ahead(const Numbers& numbers, const config::EligibleServers& eligible, uint16_t default_weight,
                          const LoadOf& load_of) {
    Place before;
    for (uint64_t number : numbers) {
      const Place place = place_by_weight(eligible, default_weight, before, number);
      if (place.empty()) return;
      const config::Slot slot = eligible.classes()[place.class_index].servers.prefetch_nth(place.rank);
      if constexpr (requires { load_of.prefetch(slot); }) load_of.prefetch(slot);
      before = place;
    }
  }

  std::array<Numbers, kAhead> ahead_{};
  size_t next_ = 0;
  bool begun_ = false;
};

}  // namespace fairlead::balancing
