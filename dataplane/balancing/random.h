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

// Whose places were drawn, and who that is.
struct Draw : config::EligibleServers::Places {
  // Null where nobody weighs anything.
  const config::Server* server = nullptr;
};

// By weight, among all but `except` (none: among all); `number` is a random one. Nobody's where there is nobody.
inline config::EligibleServers::Places draw_places(const config::EligibleServers& eligible, uint16_t default_weight,
                                                   const config::EligibleServers::Places& except, uint64_t number) {
  const uint64_t total = eligible.weight(default_weight) - except.weight;
  if (total == 0) return {};
  const uint64_t place = base::Random::scaled(number, total);
  return eligible.places_at(place + (place >= except.begin ? except.weight : 0), default_weight);
}

inline Draw draw_by_weight(const config::EligibleServers& eligible, uint16_t default_weight, uint64_t number) {
  const auto places = draw_places(eligible, default_weight, {}, number);
  if (places.weight == 0) return {};
  return {places, eligible.find(places.slot)->get()};
}

// What will be looked at soon, so that the memory of several servers is waited for at once and not one after the other.
// `table` may know how to fetch what it has of a slot, and then need no record.
template <typename Table>
void fetch(config::Slot slot, const config::Server* server, const Table& table) {
  if constexpr (requires { table.prefetch(slot); }) table.prefetch(slot);
  if constexpr (!requires(Table& asked) { asked.at(slot, *server); }) {
    __builtin_prefetch(server);
    __builtin_prefetch(&server->metadata);
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
inline bool is_less(uint64_t load, uint32_t weight, uint64_t other_load, uint32_t other_weight) {
  return load * other_weight < other_load * weight;
}
inline bool is_less(Log2 load, uint32_t weight, Log2 other_load, uint32_t other_weight) {
  return load.value - log2_of(weight) < other_load.value - log2_of(other_weight);
}

// Where weights are equal.
inline bool is_less(uint64_t load, uint64_t other_load) { return load < other_load; }
inline bool is_less(Log2 load, Log2 other_load) { return load.value < other_load.value; }

// Best of servers of one weight, of whom there are some: their loads are compared as they are.
template <typename LoadOf, typename NextNumber>
const config::Server* pick_best_of_equals(uint32_t draws, const config::EligibleServers::Members& servers,
                                          NextNumber& next_number, LoadOf& load_of) {
  const uint32_t size = servers.size();
  struct Drawn {
    uint32_t rank;
    config::Slot slot = 0;
    const config::Server* server = nullptr;
  };
  auto at_rank = [&](uint32_t rank) {
    Drawn drawn{rank};
    drawn.server = servers.nth(rank, drawn.slot)->get();
    return drawn;
  };
  auto any_but = [&](const Drawn& except) {
    auto rank = static_cast<uint32_t>(base::Random::scaled(next_number(), size - 1));
    return at_rank(rank + (rank >= except.rank ? 1 : 0));
  };
  Drawn best = at_rank(static_cast<uint32_t>(base::Random::scaled(next_number(), size)));
  if (draws < 2 || size < 2) return best.server;
  Drawn other = any_but(best);
  fetch(best.slot, best.server, load_of);
  fetch(other.slot, other.server, load_of);
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

// Best of servers of any weights. `next_places(except)`: a draw, as draw_places().
template <typename LoadOf, typename NextPlaces>
const config::Server* pick_best_by_weight(uint32_t draws, const config::EligibleServers& eligible,
                                          NextPlaces&& next_places, LoadOf& load_of) {
  using Places = config::EligibleServers::Places;
  auto find = [&](const Places& places) -> const config::Server* {
    if (places.weight == 0) return nullptr;
    const config::Server* server = eligible.find(places.slot)->get();
    fetch(places.slot, server, load_of);
    return server;
  };
  Places best = next_places(Places());
  const config::Server* best_server = find(best);
  if (!best_server || draws < 2) return best_server;
  Places other = next_places(best);
  const config::Server* other_server = find(other);
  if (!other_server) return best_server;
  auto best_load = load_at(load_of, best.slot, *best_server);
  while (true) {
    auto other_load = load_at(load_of, other.slot, *other_server);
    const bool other_is_better = is_less(other_load, other.weight, best_load, best.weight);
    if (--draws < 2) return base::choose(other_is_better, other_server, best_server);
    if (other_is_better) {
      best = other;
      best_server = other_server;
      best_load = other_load;
    }
    other = next_places(best);
    other_server = find(other);
  }
}

// `load_of(server)`: what is in flight there, or another number of what is less where it is better. `next_number()`: a
// random one. Null where nothing is eligible.
// Each draw but the first is among all but the best so far.
template <typename LoadOf, typename NextNumber>
const config::Server* pick_best_of(uint32_t draws, const config::EligibleServers& eligible, uint16_t default_weight,
                                   NextNumber&& next_number, LoadOf& load_of) {
  if (eligible.are_equal(default_weight)) [[likely]]
    return pick_best_of_equals(draws, eligible.members(), next_number, load_of);
  auto next_places = [&](const config::EligibleServers::Places& except) {
    return draw_places(eligible, default_weight, except, next_number());
  };
  return pick_best_by_weight(draws, eligible, next_places, load_of);
}

// Best of few among so many that looking at one means to wait for memory: draws are made some picks ahead, and what
// they lead to is fetched meanwhile, step by step. Members that change in between cost that wait and no more: where
// they have, it is drawn anew. State of one worker for one backend. One thread.
class BestOfMany {
 public:
  // With fewer, all of them are at hand.
  static constexpr uint64_t kFew = 1024;

  template <typename LoadOf>
  const config::Server* pick(uint32_t draws, const config::EligibleServers& eligible, uint16_t default_weight,
                             base::Random& random, LoadOf& load_of) {
    if (eligible.size() <= kFew) [[likely]]
      return pick_best_of(draws, eligible, default_weight, random, load_of);
    return pick_of_many(draws, eligible, default_weight, random, load_of);
  }

 private:
  using Places = config::EligibleServers::Places;
  // Picks that follow each other at once wait together: half of these for who is drawn, and half for their loads.
  static constexpr uint32_t kAhead = 8;
  // Of each pick. Others are drawn when they are wanted.
  static constexpr size_t kDraws = 2;
  struct Ahead {
    std::array<uint64_t, kDraws> numbers{};
    // Where weights differ: what the numbers lead to among members of an edition.
    uint64_t edition = 0;
    uint16_t default_weight = 0;
    std::array<config::EligibleServers::PlacesAhead, kDraws> places_ahead{};
    bool is_known = false;
    std::array<Places, kDraws> places{};

    bool is_of(const config::EligibleServers& eligible, uint16_t weight) const {
      return edition == eligible.edition() && default_weight == weight;
    }
  };

  template <typename LoadOf>
  [[gnu::noinline]] const config::Server* pick_of_many(uint32_t draws, const config::EligibleServers& eligible,
                                                       uint16_t default_weight, base::Random& random, LoadOf& load_of) {
    if (!begun_) [[unlikely]]
      begin(random);
    Ahead& ahead = ahead_[next_ % kAhead];
    const config::Server* server = eligible.are_equal(default_weight)
                                       ? pick_equal(ahead, draws, eligible, random, load_of)
                                       : pick_by_weight(ahead, draws, eligible, default_weight, random, load_of);
    draw(ahead, eligible, default_weight, random);
    fetch_ahead(ahead_[(next_ + kAhead / 2) % kAhead], eligible, default_weight, load_of);
    ++next_;
    return server;
  }

  void begin(base::Random& random) {
    for (Ahead& ahead : ahead_) {
      for (uint64_t& number : ahead.numbers) number = random.next();
    }
    begun_ = true;
  }

  template <typename LoadOf>
  static const config::Server* pick_equal(const Ahead& ahead, uint32_t draws, const config::EligibleServers& eligible,
                                          base::Random& random, LoadOf& load_of) {
    size_t used = 0;
    auto next_number = [&] { return used < kDraws ? ahead.numbers[used++] : random.next(); };
    return pick_best_of_equals(draws, eligible.members(), next_number, load_of);
  }

  template <typename LoadOf>
  static const config::Server* pick_by_weight(const Ahead& ahead, uint32_t draws,
                                              const config::EligibleServers& eligible, uint16_t default_weight,
                                              base::Random& random, LoadOf& load_of) {
    const bool is_known = ahead.is_known && ahead.is_of(eligible, default_weight);
    size_t used = 0;
    auto next_places = [&](const Places& except) {
      const size_t at = used++;
      if (at >= kDraws) return draw_places(eligible, default_weight, except, random.next());
      if (!is_known) return draw_places(eligible, default_weight, except, ahead.numbers[at]);
      // Whoever is drawn twice is drawn once more, among the others.
      const bool is_except = except.weight > 0 && ahead.places[at].slot == except.slot;
      return is_except ? draw_places(eligible, default_weight, except, random.next()) : ahead.places[at];
    };
    return pick_best_by_weight(draws, eligible, next_places, load_of);
  }

  static void draw(Ahead& ahead, const config::EligibleServers& eligible, uint16_t default_weight,
                   base::Random& random) {
    for (uint64_t& number : ahead.numbers) number = random.next();
    ahead.edition = 0;
    ahead.is_known = false;
    const uint64_t total = eligible.weight(default_weight);
    if (total == 0 || eligible.are_equal(default_weight)) return;
    for (size_t i = 0; i < kDraws; ++i) {
      ahead.places_ahead[i] = eligible.fetch_places(base::Random::scaled(ahead.numbers[i], total), default_weight);
    }
    ahead.edition = eligible.edition();
    ahead.default_weight = default_weight;
  }

  template <typename LoadOf>
  static void fetch_ahead(Ahead& ahead, const config::EligibleServers& eligible, uint16_t default_weight,
                          const LoadOf& load_of) {
    auto prefetch_load = [&](config::Slot slot) {
      if constexpr (requires { load_of.prefetch(slot); }) load_of.prefetch(slot);
    };
    if (eligible.are_equal(default_weight)) {
      const uint32_t size = eligible.members().size();
      const auto first = static_cast<uint32_t>(base::Random::scaled(ahead.numbers[0], size));
      auto second = static_cast<uint32_t>(base::Random::scaled(ahead.numbers[1], size - 1));
      second += second >= first ? 1 : 0;
      for (uint32_t rank : {first, second}) prefetch_load(eligible.members().prefetch_nth(rank));
      return;
    }
    if (!ahead.is_of(eligible, default_weight)) return;
    for (size_t i = 0; i < kDraws; ++i) {
      ahead.places[i] = eligible.places_at(ahead.places_ahead[i]);
      eligible.members().prefetch(ahead.places[i].slot);
      prefetch_load(ahead.places[i].slot);
    }
    ahead.is_known = true;
  }

  std::array<Ahead, kAhead> ahead_{};
  uint32_t next_ = 0;
  bool begun_ = false;
};

}  // namespace fairlead::balancing
