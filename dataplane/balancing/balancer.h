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

#include "balancing/first.h"
#include "balancing/hash.h"
#include "balancing/least_connections.h"
#include "balancing/load_bound.h"
#include "balancing/prequal.h"
#include "balancing/random.h"
#include "balancing/round_robin.h"
#include "balancing/shares.h"
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
// integer. It may know more:
// limits: a server that is full is not picked,
template <typename Loads>
concept KnowsLimits = requires(Loads& loads, const config::Server& server) {
  { loads.is_full(server) } -> std::same_as<bool>;
};
// what was measured of servers: PEAK_EWMA's cost and PREQUAL's probe,
template <typename Loads>
concept KnowsLatencies = requires(Loads& loads, const config::Server& server) {
  { loads.ewma_cost(server) } -> std::same_as<double>;
  { loads.probe(server) } -> std::same_as<Probe>;
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

 private:
  // How often a draw may hit a server that is not allowed before the servers are searched instead: a heavy one is drawn
  // again and again.
  static constexpr int kDrawsMax = 8;
  // How many servers a search looks at. Where so many in a row are full, a request is not kept waiting for the last one
  // among a million that is not.
  static constexpr uint32_t kLooksMax = 4096;

  template <typename Loads, typename Allowed>
  const config::Server* pick_among(const config::BackendSnapshot& backend, base::Random& random, Loads& loads, Key key,
                                   Allowed& allowed) {
    const config::EligibleServers& eligible = backend.eligible;
    uint16_t default_weight = backend.settings->effective_default_weight();
    auto draw_until_allowed = [&](auto&& draw) -> const config::Server* {
      for (int i = 0; i < kDrawsMax; ++i) {
        const config::Server* server = draw();
        if (!server || allowed(*server)) return server;
      }
      return find_allowed(eligible, default_weight, random, allowed);
    };
    auto pick_in_turn = [&] {
      return draw_until_allowed([&] { return round_robin_.pick(eligible, default_weight, random); });
    };
    switch (backend.settings->effective_algorithm()) {
      case config::Algorithm::kRoundRobin:
        return pick_in_turn();
      case config::Algorithm::kHash: {
        if (!key) return pick_in_turn();
        if constexpr (KnowsTotal<Loads>) {
          if (config::bounds_load(*backend.settings)) {
            LoadBound bound(backend, loads.total_in_flight());
            auto below = [&](const config::Server& server) {
              return !bound.is_reached(server, loads(server)) && allowed(server);
            };
            if (const config::Server* server = pick_by_hash(backend, *key, below)) return server;
          }
        }
        const config::Server* server = pick_by_hash(backend, *key, allowed);
        return server ? server : find_allowed(eligible, default_weight, random, allowed);
      }
      case config::Algorithm::kRandom:
        return draw_until_allowed(
            [&] { return pick_best_of(backend.settings->effective_draws(), eligible, default_weight, random, loads); });
      case config::Algorithm::kStaticRoundRobin:
        return draw_until_allowed([&] { return static_round_robin_.pick(eligible, default_weight); });
      case config::Algorithm::kFirst:
        return pick_first(eligible, default_weight, allowed);
      case config::Algorithm::kSticky:
        if constexpr (KnowsHolder<Loads>) {
          return pick_sticky(eligible, default_weight, loads.sticky_holder(), allowed);
        } else {
          return pick_sticky(eligible, default_weight, own_holder_, allowed);
        }
      case config::Algorithm::kLeastConnections:
        if (LeastConnections::is_exact(eligible)) {
          return least_connections_.pick_exact(eligible, default_weight, loads, allowed);
        }
        return draw_until_allowed(
            [&] { return pick_best_of(backend.settings->effective_draws(), eligible, default_weight, random, loads); });
      case config::Algorithm::kPeakEwma:
        return draw_until_allowed([&] {
          if constexpr (KnowsLatencies<Loads>) {
            auto cost_of = [&loads](const config::Server& server) { return loads.ewma_cost(server); };
            return pick_best_of(2, eligible, default_weight, random, cost_of);
          } else {
            return pick_best_of(2, eligible, default_weight, random, loads);
          }
        });
      case config::Algorithm::kPrequal:
        if constexpr (KnowsLatencies<Loads>) {
          if (!probes_) [[unlikely]]
            probes_ = std::make_unique<ProbePool>();
          auto look = [&loads](const config::Server& server) { return loads.probe(server); };
          const config::Server* server =
              probes_->pick(eligible, default_weight, backend.settings->prequal, loads.now(), random, look, allowed);
          if (server) return server;
        }
        return draw_until_allowed([&] { return pick_best_of(1, eligible, default_weight, random, loads); });
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
      const auto& entry = classes[(first + i) % classes.size()];
      if (weight_of(entry, default_weight) == 0) continue;
      uint64_t size = entry.servers.size();
      uint64_t start = random.below(size);
      for (uint64_t step = 0; step < size; ++step) {
        if (looks_left-- == 0) return nullptr;
        config::Slot slot = 0;
        const config::Server* server = entry.servers.nth(static_cast<uint32_t>((start + step) % size), slot)->get();
        if (allowed(*server)) return server;
      }
    }
    return nullptr;
  }

  // Kept while another algorithm is in use, so that going there and back starves nobody.
  RoundRobin round_robin_;
  StaticRoundRobin static_round_robin_;
  LeastConnections least_connections_;
  StickyHolder own_holder_;
  // Where the backend has been PREQUAL.
  std::unique_ptr<ProbePool> probes_;
};

}  // namespace fairlead::balancing
