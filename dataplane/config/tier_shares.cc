#include "config/tier_shares.h"

#include <algorithm>
#include <numeric>

namespace fairlead::config {
namespace {

constexpr uint32_t kWhole = TierShares::kWhole;

bool is_backup(const TierLoad& tier) { return tier.rank >= kBackupRank; }
// Of the same priority: near servers and far ones.
bool are_together(const TierLoad& near, const TierLoad& far) {
  return !is_backup(far) && near.rank % 2 == 0 && far.rank == near.rank + 1;
}

uint32_t part_of_whole(uint64_t part, uint64_t of) {
  if (of == 0) return 0;
  auto wide = static_cast<unsigned __int128>(part) * kWhole / of;
  return static_cast<uint32_t>(std::min<unsigned __int128>(wide, kWhole));
}

// Of a whole, how much it can take.
uint32_t availability_of(const TierLoad& tier, const Failover& failover) {
  auto boosted = static_cast<unsigned __int128>(tier.eligible) * failover.effective_overprovisioning();
  auto all = static_cast<unsigned __int128>(tier.wanted) * 100;
  if (tier.eligible == 0) return 0;
  if (boosted >= all) return kWhole;
  return static_cast<uint32_t>(boosted * kWhole / all);
}

// So that they add up to a whole, in proportion.
void normalise(std::vector<uint32_t>& shares) {
  uint64_t sum = std::accumulate(shares.begin(), shares.end(), uint64_t{0});
  if (sum == 0) return;
  uint64_t seen = 0;
  uint64_t given = 0;
  for (uint32_t& share : shares) {
    seen += share;
    uint64_t until = seen * kWhole / sum;
    share = static_cast<uint32_t>(until - given);
    given = until;
  }
}

// Too few near ones are not left alone with all there is.
void share_with_far(const std::vector<TierLoad>& tiers, const ZonePreference& zones, std::vector<uint32_t>& shares) {
  for (size_t i = 0; i + 1 < tiers.size(); ++i) {
    const TierLoad& near = tiers[i];
    const TierLoad& far = tiers[i + 1];
    if (!are_together(near, far) || near.eligible_count >= zones.effective_min_near()) continue;
    uint32_t both = shares[i] + shares[i + 1];
    uint64_t eligible = near.eligible + far.eligible;
    if (eligible == 0) continue;
    shares[i] = static_cast<uint32_t>(uint64_t{both} * part_of_whole(near.eligible, eligible) / kWhole);
    shares[i + 1] = both - shares[i];
  }
}

}  // namespace

uint8_t rank_of(const Server& server, const ZonePreference& zones, const std::string& own_zone) {
  if (server.backup) return kBackupRank;
  auto rank = static_cast<uint8_t>(2 * server.priority);
  if (!zones.prefer_near || own_zone.empty()) return rank;
  const std::string& label = zones.effective_label();
  bool is_near = std::ranges::any_of(
      server.labels, [&](const auto& entry) { return entry.first == label && entry.second == own_zone; });
  return is_near ? rank : static_cast<uint8_t>(rank + 1);
}

TierShares tier_shares(const std::vector<TierLoad>& tiers, const Failover& failover) {
  TierShares result;
  result.shares.resize(tiers.size());
  TierLoad all;
  uint32_t left = kWhole;
  for (size_t i = 0; i < tiers.size(); ++i) {
    if (is_backup(tiers[i])) continue;
    all.wanted += tiers[i].wanted;
    all.eligible += tiers[i].eligible;
    result.shares[i] = std::min(left, availability_of(tiers[i], failover));
    left -= result.shares[i];
  }
  if (all.eligible == 0) {
    for (size_t i = 0; i < tiers.size(); ++i) {
      if (is_backup(tiers[i]) && tiers[i].eligible > 0) result.shares[i] = kWhole;
    }
    if (std::ranges::count(result.shares, 0u) < static_cast<ptrdiff_t>(tiers.size())) return result;
  }
  auto healthy = static_cast<unsigned __int128>(all.eligible) * 100;
  auto needed = static_cast<unsigned __int128>(all.wanted) * failover.effective_panic_threshold();
  if (left > 0 && healthy < needed) {
    result.is_panic = true;
    for (size_t i = 0; i < tiers.size(); ++i) {
      result.shares[i] = is_backup(tiers[i]) ? 0 : part_of_whole(tiers[i].wanted, all.wanted);
    }
  }
  normalise(result.shares);
  if (!result.is_panic) share_with_far(tiers, failover.zones, result.shares);
  return result;
}

}  // namespace fairlead::config
