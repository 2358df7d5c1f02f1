// Bounded load: no server has more than so many percent of its share of what is in flight, as long as others may take
// more.
//
// V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent hashing with bounded loads" (2016): with a bound above 100 %
// there is always one below it, and only so many keys are away from their server. As HAProxy's hash-balance-factor, a
// request that is to be placed counts already, and a bound is rounded up.
#pragma once

#include <cstdint>

#include "config/snapshot.h"

namespace fairlead::balancing {

class LoadBound {
 public:
  // `eligible`: among whom it is shared. `total`: what all have in flight.
  LoadBound(const config::BackendSnapshot& backend, const config::EligibleServers& eligible, uint64_t total)
      : default_weight_(backend.settings->effective_default_weight()),
        allowed_(static_cast<Wide>(backend.settings->hash.effective_balance_factor()) * (total + 1)),
        total_weight_(eligible.weight(default_weight_)) {}

  // Whether the server, which weighs something, has what it may have: at least one.
  bool is_reached(const config::Server& server, uint64_t load) const {
    uint64_t weight = server.weight.value_or(default_weight_);
    return static_cast<Wide>(load) * 100 * total_weight_ >= allowed_ * weight;
  }

 private:
  using Wide = unsigned __int128;

  uint16_t default_weight_;
  Wide allowed_;
  uint64_t total_weight_;
};

}  // namespace fairlead::balancing
