// Picks a server of a backend: the state of one worker for one backend, whatever algorithm the backend has.
//
// The algorithm is looked up at each pick, so a change of it, of a weight or of the members holds from the next pick
// on, and nothing else is needed for it to do so. One thread.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "balancing/first.h"
#include "balancing/hash.h"
#include "balancing/least_connections.h"
#include "balancing/load_bound.h"
#include "balancing/prequal.h"
#include "balancing/random.h"
#include "balancing/round_robin.h"
#include "balancing/shares.h"
#include "balancing/slow_start.h"
#include "balancing/static_round_robin.h"
#include "balancing/sticky.h"
#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

// The servers that a request has been tried on already. Few: one for each attempt.
using Tried = std::span<const config::Uid>;

// The hash of what HASH goes by (XXH64; for RING the first eight bytes of MD5, the first the lowest); empty where the
// request has nothing of it, or the algorithm is another.
using Key = std::optional<uint64_t>;

// What a pick asks about servers is a callable `loads`: loads(server) gives what is in flight there, as an unsigned
// integer. Where it has loads.at(slot, server) as well, that is asked instead where it can be, so that no record need
// be read. It may know more: limits: a server that is full is not picked,
template <typename Loads>
concept KnowsLimits = requires(Loads& loads, const config::Server& server) {
  { loads.is_full(server) } -> std::same_as<bool>;
};
// what was measured of servers: PEAK_EWMA's cost (peak_ewma.h) and PREQUAL's probe,
template <typename Loads>
concept KnowsLatencies = requires(Loads& loads, const config::Server& server) {
  { loads.ewma_cost(config::Slot(), server) } -> std::same_as<Log2>;
  { loads.probe(config::Slot(), server) } -> std::same_as<Probe>;
  { loads.now() } -> std::same_as<config::Duration>;
};
// what time it is, for servers that start slowly,
template <typename Loads>
concept KnowsTime = requires(Loads& loads) {
  { loads.now() } -> std::same_as<config::Duration>;
};
// what all servers of the backend have in flight together: HASH's bounded load,
template <typename Loads>
concept KnowsTotal = requires(Loads& loads) {
  { loads.total_in_flight() } -> std::same_as<uint64_t>;
};
// and who holds a STICKY backend, where that is shared.
template <typename Loads>
concept KnowsHolder = requires(Loads& loads) { loads.sticky_holder().uid(); };

class Balancer {
 public:
  Balancer() = default;
  // A copy picks what the original would, and leaves that as it is.
  Balancer(const Balancer& other) : first_(other.first_), turn_(other.turn_), own_holder_(other.own_holder_) {
    for (const Other& one : other.others_) others_.push_back({one.rank, std::make_unique<State>(*one.state)});
  }

  // A server that was tried is picked only where all others were as well, or are full. Null means that nothing is
  // eligible, or all that is eligible is full; not that all were tried.
  template <typename Loads>
  const config::Server* pick(const config::BackendSnapshot& backend, base::Random& random, Loads&& loads,
                             Tried tried = {}, Key key = {}) {
    auto has_room = [&](const config::Server& server) {
      if constexpr (KnowsLimits<Loads>) return !loads.is_full(server);
      return true;
    };
    if (!tried.empty()) [[unlikely]] {
      auto is_new = [&](const config::Server& server) {
        return std::ranges::find(tried, server.metadata.uid) == tried.end() && has_room(server);
      };
      if (const config::Server* server = pick_among(backend, random, loads, key, is_new)) return server;
    }
    return pick_among(backend, random, loads, key, has_room);
  }

  // What the next pick goes by, where an algorithm looks at servers beforehand (PREQUAL). After a pick, when what it
  // was for is on its way; without it picks are as good, and look by themselves.
  template <typename Loads>
    requires KnowsLatencies<Loads>
  void look_around(const config::BackendSnapshot& backend, base::Random& random, Loads&& loads) {
    if (backend.settings->effective_algorithm() != config::Algorithm::kPrequal) [[likely]]
      return;
    auto look_in = [&](State& state, const config::EligibleServers& eligible) {
      if (!state.probes) return;
      Look<Loads> look{loads};
      state.probes->look_around(eligible, backend.settings->effective_default_weight(), backend.settings->prequal,
                                loads.now(), random, look);
    };
    look_in(first_, backend.eligible);
    for (const config::Tier& tier : backend.further) look_in(state_of(tier.rank), tier.eligible);
  }

 private:
  // How often a draw may hit a server that is not allowed before the servers are searched instead: a heavy one is drawn
  // again and again.
  static constexpr int kDrawsMax = 8;
  // How many servers a search looks at. Where so many in a row are full, a request is not kept waiting for the last one
  // among a million that is not.
  static constexpr uint32_t kLooksMax = 4096;

  // Of a tier. Kept while another algorithm is in use, so that going there and back starves nobody.
  struct State {
    State() = default;
    State(const State& other)
        : round_robin(other.round_robin),
          static_round_robin(other.static_round_robin),
          least_connections(other.least_connections),
          best_of_many(other.best_of_many),
          probes(other.probes ? std::make_unique<ProbePool>(*other.probes) : nullptr) {}

    RoundRobin round_robin;
    StaticRoundRobin static_round_robin;
    LeastConnections least_connections;
    BestOfMany best_of_many;
    // Where the backend has been PREQUAL.
    std::unique_ptr<ProbePool> probes;
  };

  // What algorithms ask of `loads`, by another name.
  template <typename Loads>
  struct Asking {
    Loads& loads;
    void prefetch(config::Slot slot) const {
      if constexpr (requires { loads.prefetch(slot); }) loads.prefetch(slot);
    }
  };
  template <typename Loads>
  struct EwmaCost : Asking<Loads> {
    Log2 at(config::Slot slot, const config::Server& server) const { return this->loads.ewma_cost(slot, server); }
  };
  template <typename Loads>
  struct Look : Asking<Loads> {
    Probe at(config::Slot slot, const config::Server& server) const { return this->loads.probe(slot, server); }
  };

  template <typename Loads, typename Allowed>
  const config::Server* pick_among(const config::BackendSnapshot& backend, base::Random& random, Loads& loads, Key key,
                                   Allowed& allowed) {
    if (backend.further.empty()) [[likely]]
      return pick_in_tier(backend, backend.rank, backend.eligible, random, loads, key, allowed);
    return pick_by_tiers(backend, random, loads, key, allowed);
  }

  // In the tier whose turn it is; where that has nobody who is allowed, in the others in their order.
  template <typename Loads, typename Allowed>
  const config::Server* pick_by_tiers(const config::BackendSnapshot& backend, base::Random& random, Loads& loads,
                                      Key key, Allowed& allowed) {
    auto pick_in = [&](size_t index) {
      const config::Tier* tier = index == 0 ? nullptr : &backend.further[index - 1];
      return pick_in_tier(backend, tier ? tier->rank : backend.rank, tier ? tier->eligible : backend.eligible, random,
                          loads, key, allowed);
    };
    size_t chosen = choose_tier(backend, key);
    if (const config::Server* server = pick_in(chosen)) return server;
    for (size_t index = 0; index <= backend.further.size(); ++index) {
      bool is_idle_backup =
          index > 0 && backend.further[index - 1].rank == config::kBackupRank && backend.further[index - 1].share == 0;
      if (index == chosen || is_idle_backup) continue;
      if (const config::Server* server = pick_in(index)) return server;
    }
    return nullptr;
  }

  // By its share: the same for the same key, and evenly without one.
  size_t choose_tier(const config::BackendSnapshot& backend, Key key) {
    config::Algorithm algorithm = backend.settings->effective_algorithm();
    if (config::goes_by_age(algorithm)) return 0;
    uint32_t at = algorithm == config::Algorithm::kHash && key ? static_cast<uint32_t>(base::split_mix(*key) >> 32)
                                                               : turn_ += kGoldenTurn;
    at = static_cast<uint32_t>((uint64_t{at} * config::TierShares::kWhole) >> 32);
    if (at < backend.share) return 0;
    at -= backend.share;
    for (size_t i = 0; i < backend.further.size(); ++i) {
      if (at < backend.further[i].share) return i + 1;
      at -= backend.further[i].share;
    }
    return 0;
  }

  State& state_of(uint8_t rank) {
    if (rank == 0) [[likely]]
      return first_;
    auto at = std::ranges::find(others_, rank, &Other::rank);
    if (at == others_.end()) at = others_.insert(at, {rank, std::make_unique<State>()});
    return *at->state;
  }

  template <typename Loads, typename Allowed>
  const config::Server* pick_in_tier(const config::BackendSnapshot& backend, uint8_t rank,
                                     const config::EligibleServers& eligible, base::Random& random, Loads& loads,
                                     Key key, Allowed& allowed) {
    State& state = state_of(rank);
    if constexpr (KnowsTime<Loads>) {
      if (!backend.starting.empty()) [[unlikely]] {
        SlowStart slow_start(backend, loads.now(), random, key);
        const config::Server* server = pick_slowly(backend, state, eligible, random, loads, key, allowed, slow_start);
        if (server) return server;
      }
    }
    return pick_at_once(backend, state, eligible, random, loads, key, allowed);
  }

  // With servers that start slowly. Null also where all were passed over for that.
  template <typename Loads, typename Allowed>
  const config::Server* pick_slowly(const config::BackendSnapshot& backend, State& state,
                                    const config::EligibleServers& eligible, base::Random& random, Loads& loads,
                                    Key key, Allowed& allowed, SlowStart& slow_start) {
    config::Algorithm algorithm = backend.settings->effective_algorithm();
    if (algorithm == config::Algorithm::kSticky) return nullptr;
    if (algorithm == config::Algorithm::kLeastConnections && LeastConnections::is_exact(eligible)) {
      auto scaled = [&](const config::Server& server) { return slow_start.scaled(server, loads(server)); };
      uint16_t default_weight = backend.settings->effective_default_weight();
      state.least_connections.begin(eligible, random);
      return state.least_connections.pick_exact(eligible, default_weight, scaled, allowed);
    }
    auto admitted = [&](const config::Server& server) { return slow_start.admits(server) && allowed(server); };
    return pick_at_once(backend, state, eligible, random, loads, key, admitted);
  }

  template <typename Loads, typename Allowed>
  const config::Server* pick_at_once(const config::BackendSnapshot& backend, State& state,
                                     const config::EligibleServers& eligible, base::Random& random, Loads& loads,
                                     Key key, Allowed& allowed) {
    uint16_t default_weight = backend.settings->effective_default_weight();
    auto or_any = [&](const config::Server* server) {
      return server ? server : find_allowed(eligible, default_weight, random, allowed);
    };
    auto draw_until_allowed = [&](auto&& draw) -> const config::Server* {
      for (int i = 0; i < kDrawsMax; ++i) {
        const config::Server* server = draw();
        if (!server || allowed(*server)) return server;
      }
      return find_allowed(eligible, default_weight, random, allowed);
    };
    auto draw_best_of = [&](uint32_t draws, auto& load_of) {
      return draw_until_allowed(
          [&] { return state.best_of_many.pick(draws, eligible, default_weight, random, load_of); });
    };
    auto pick_in_turn = [&] {
      return draw_until_allowed([&] { return state.round_robin.pick(eligible, default_weight, random); });
    };
    switch (backend.settings->effective_algorithm()) {
      case config::Algorithm::kRoundRobin:
        return pick_in_turn();
      case config::Algorithm::kHash: {
        if (!key) return pick_in_turn();
        if constexpr (KnowsTotal<Loads>) {
          if (config::bounds_load(*backend.settings)) {
            LoadBound bound(backend, eligible, loads.total_in_flight());
            auto below = [&](const config::Server& server) {
              return !bound.is_reached(server, loads(server)) && allowed(server);
            };
            if (const config::Server* server = pick_by_hash(backend, eligible, *key, below)) return server;
          }
        }
        return or_any(pick_by_hash(backend, eligible, *key, allowed));
      }
      case config::Algorithm::kRandom:
        return draw_best_of(backend.settings->effective_draws(), loads);
      case config::Algorithm::kStaticRoundRobin:
        return draw_until_allowed([&] { return state.static_round_robin.pick(eligible, default_weight); });
      case config::Algorithm::kFirst:
        return or_any(pick_first(eligible, default_weight, allowed));
      case config::Algorithm::kSticky:
        // Who takes all is one of the first tier; what it cannot take goes on.
        if (&eligible != &backend.eligible) return or_any(pick_first(eligible, default_weight, allowed));
        if constexpr (KnowsHolder<Loads>) {
          return or_any(pick_sticky(eligible, default_weight, loads.sticky_holder(), allowed));
        } else {
          return or_any(pick_sticky(eligible, default_weight, own_holder_, allowed));
        }
      case config::Algorithm::kLeastConnections:
        if (LeastConnections::is_exact(eligible)) {
          state.least_connections.begin(eligible, random);
          return state.least_connections.pick_exact(eligible, default_weight, loads, allowed);
        }
        return draw_best_of(backend.settings->effective_draws(), loads);
      case config::Algorithm::kPeakEwma:
        if constexpr (KnowsLatencies<Loads>) {
          EwmaCost<Loads> cost_of{loads};
          return draw_best_of(2, cost_of);
        } else {
          return draw_best_of(2, loads);
        }
      case config::Algorithm::kPrequal:
        if constexpr (KnowsLatencies<Loads>) {
          if (!state.probes) [[unlikely]]
            state.probes = std::make_unique<ProbePool>();
          Look<Loads> look{loads};
          const config::Server* server = state.probes->pick(eligible, default_weight, backend.settings->prequal,
                                                            loads.now(), random, look, allowed);
          if (server) return server;
        }
        return draw_best_of(1, loads);
    }
    return nullptr;
  }

  // Any that is allowed; null where there is none, or kLooksMax were not. Begins anywhere, lest all retries of a time
  // meet on one server.
  template <typename Allowed>
  static const config::Server* find_allowed(const config::EligibleServers& eligible, uint16_t default_weight,
                                            base::Random& random, Allowed& allowed) {
    const auto& classes = eligible.classes();
    uint32_t looks_left = kLooksMax;
    size_t first = random.below(classes.size());
    for (size_t i = 0; i < classes.size(); ++i) {
      uint16_t weight_class = 0;
      const base::SlotSet& slots = *classes.nth(static_cast<uint32_t>((first + i) % classes.size()), weight_class);
      if (weight_of(weight_class, default_weight) == 0) continue;
      const uint32_t size = slots.size();
      config::Slot slot = slots.nth(static_cast<uint32_t>(random.below(size)));
      for (uint32_t step = 0; step < size; ++step, ++slot) {
        if (looks_left-- == 0) return nullptr;
        slot = slots.next_around(slot);
        const config::Server* server = eligible.find(slot)->get();
        if (allowed(*server)) return server;
      }
    }
    return nullptr;
  }

  struct Other {
    uint8_t rank;
    std::unique_ptr<State> state;
  };
  // A turn by the golden ratio: any few in a row are spread evenly.
  static constexpr uint32_t kGoldenTurn = 0x9e3779b9;

  // Of rank 0, which most backends have alone.
  State first_;
  std::vector<Other> others_;
  uint32_t turn_ = 0;
  StickyHolder own_holder_;
};

}  // namespace fairlead::balancing
