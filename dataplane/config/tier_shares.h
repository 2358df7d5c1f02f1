// What part of a backend's requests goes to which of its tiers: servers that are preferred alike.
//
// As Envoy's priority levels: a tier is good for its healthy weight times the overprovisioning factor, and what the
// first cannot take goes to the next. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "config/failover.h"
#include "config/model.h"

namespace fairlead::config {

// Tiers by rank: the lower, the more preferred. Each priority has two, for near servers and for far ones.
inline constexpr uint8_t kBackupRank = 2 * (kPriorityMax + 1);

// Without a zone of its own a data plane has no far servers.
uint8_t rank_of(const Server& server, const ZonePreference& zones, const std::string& own_zone);

struct TierLoad {
  uint8_t rank = 0;
  // Of all that are to take requests and have been in service, whatever their health: their weight together.
  uint64_t wanted = 0;
  // The same of those that may be picked, and how many there are.
  uint64_t eligible = 0;
  uint64_t eligible_count = 0;
};

struct TierShares {
  // In the order of the tiers; adds up to kWhole, or to 0 where nobody may be picked.
  static constexpr uint32_t kWhole = 1 << 16;
  std::vector<uint32_t> shares;
  // So few are healthy that health is not looked at: all that are wanted share by weight, but for backups.
  bool is_panic = false;
};

// `tiers` by rank.
TierShares tier_shares(const std::vector<TierLoad>& tiers, const Failover& failover);

}  // namespace fairlead::config
