// Picks a server of a backend: the state of one worker for one backend, whatever algorithm the backend has.
//
// The algorithm is looked up at each pick, so a change of it, of a weight or of the members holds from the next pick
// on, and nothing else is needed for it to do so. One thread.
#pragma once

#include <algorithm>
#include <span>

#include "balancing/random.h"
#include "balancing/round_robin.h"
#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

// The servers that a request has been tried on already. Few: one for each attempt.
using Tried = std::span<const config::Uid>;

class Balancer {
 public:
  // `load_of(const config::Server&)` gives what this worker has in flight there, as an unsigned integer. A server that
  // was tried is picked only where all eligible ones were; null means that nothing is eligible, not that all were
  // tried.
  template <typename LoadOf>
  const config::Server* pick(const config::BackendSnapshot& backend, base::Random& random, LoadOf&& load_of,
                             Tried tried = {}) {
    const config::Server* server = nullptr;
    for (int draw = 0; draw < kDrawsMax; ++draw) {
      server = pick_any(backend, random, load_of);
      if (!server || !contains(tried, *server)) return server;
    }
    const config::Server* untried = find_untried(backend, random, tried);
    return untried ? untried : server;
  }

 private:
  // How often a draw may hit a server that was tried before the servers are searched instead: a heavy one is drawn
  // again and again.
  static constexpr int kDrawsMax = 4;

  template <typename LoadOf>
  const config::Server* pick_any(const config::BackendSnapshot& backend, base::Random& random, LoadOf& load_of) {
    uint16_t default_weight = backend.settings->effective_default_weight();
    switch (backend.settings->effective_algorithm()) {
      case config::Algorithm::kRoundRobin:
        return round_robin_.pick(backend.eligible, default_weight, random);
      case config::Algorithm::kRandom:
        return pick_random_of_two(backend.eligible, default_weight, random, load_of);
    }
    return nullptr;
  }

  static bool contains(Tried tried, const config::Server& server) {
    return std::ranges::find(tried, server.metadata.uid) != tried.end();
  }
  // Any that is not among `tried`; null where there is none. Costs at most `tried` + 1 looks in each weight class.
  static const config::Server* find_untried(const config::BackendSnapshot& backend, base::Random& random, Tried tried);

  // Kept while another algorithm is in use, so that going there and back starves nobody.
  RoundRobin round_robin_;
};

}  // namespace fairlead::balancing
