#include "store/tiers.h"

#include <algorithm>
#include <utility>

namespace fairlead::store {
namespace {

using ServerRef = base::Ref<const config::Server>;

}  // namespace

Tiers::Standing Tiers::standing_of(const Health* health) {
  if (!health || health->is_fit()) return Standing::kFit;
  bool is_taken_out = health->agent && !health->agent->state.takes_requests() && !health->is_down_by_agent();
  return health->is_pending() || is_taken_out ? Standing::kAway : Standing::kUnfit;
}

bool Tiers::take_settings(const config::Backend& settings, const std::string& own_zone) {
  failover_ = settings.failover;
  default_weight_ = settings.effective_default_weight();
  own_zone_ = &own_zone;
  by_age_ = config::goes_by_age(settings.effective_algorithm());
  Shape shape{settings.failover.zones, settings.failover.effective_panic_threshold() > 0};
  if (shape == shape_) {
    for (Tier& tier : tiers_) keep_by_age(tier);
    return true;
  }
  shape_ = shape;
  tiers_.clear();
  return false;
}

Tiers::Tier& Tiers::tier(uint8_t rank) {
  auto at = std::ranges::lower_bound(tiers_, rank, {}, &Tier::rank);
  if (at != tiers_.end() && at->rank == rank) return *at;
  at = tiers_.insert(at, Tier{.rank = rank, .eligible = {}, .wanted = {}});
  keep_by_age(*at);
  return *at;
}

void Tiers::keep_by_age(Tier& tier) const {
  for (config::EligibleServers* servers : {&tier.eligible, &tier.wanted}) {
    servers->keep_by_age(by_age_ || tier.rank == config::kBackupRank);
  }
}

void Tiers::drop_if_empty(uint8_t rank) {
  auto at = std::ranges::lower_bound(tiers_, rank, {}, &Tier::rank);
  if (at != tiers_.end() && at->rank == rank && at->is_empty()) tiers_.erase(at);
}

void Tiers::count_wanted(const config::Server& server, bool comes) {
  if (!server.takes_requests()) return;
  Tier& its = tier(rank_of(server));
  uint64_t step = comes ? 1 : ~uint64_t{0};
  if (server.weight) {
    its.wanted_weight += step * *server.weight;
  } else {
    its.wanted_defaults += step;
  }
}

void Tiers::replace(const ServerRef& before, Standing standing_before, const ServerRef& after,
                    Standing standing_after) {
  bool was_fit = before && standing_before == Standing::kFit;
  bool is_fit = after && standing_after == Standing::kFit;
  bool was_wanted = before && standing_before != Standing::kAway;
  bool is_wanted = after && standing_after != Standing::kAway;
  uint8_t rank_before = before ? rank_of(*before) : 0;
  uint8_t rank_after = after ? rank_of(*after) : 0;
  auto move = [&](config::EligibleServers Tier::* servers, bool was, bool is) {
    if (was && is && rank_before == rank_after) return (tier(rank_after).*servers).upsert(after);
    if (was) (tier(rank_before).*servers).erase(*before);
    if (is) (tier(rank_after).*servers).upsert(after);
  };
  move(&Tier::eligible, was_fit, is_fit);
  if (shape_.keeps_wanted) move(&Tier::wanted, was_wanted, is_wanted);
  if (was_wanted) count_wanted(*before, false);
  if (is_wanted) count_wanted(*after, true);
  if (before) drop_if_empty(rank_before);
  if (after && (!before || rank_after != rank_before)) drop_if_empty(rank_after);
}

config::TierLoad Tiers::load_of(const Tier& tier) const {
  return {.rank = tier.rank,
          .wanted = tier.wanted_weight + tier.wanted_defaults * default_weight_,
          .eligible = tier.eligible.weight(default_weight_),
          .eligible_count = tier.eligible.weighing(default_weight_)};
}

config::TierShares Tiers::shares() const {
  std::vector<config::TierLoad> loads;
  loads.reserve(tiers_.size());
  for (const Tier& tier : tiers_) loads.push_back(load_of(tier));
  return config::tier_shares(loads, failover_);
}

// Of backups one alone, where that is wanted.
void Tiers::put_tier(const Tier& tier, bool is_panic, config::EligibleServers& out) const {
  bool is_backup = tier.rank == config::kBackupRank;
  if (is_backup && failover_.effective_backups() == config::BackupUse::kFirst) {
    out = {};
    out.keep_by_age(by_age_);
    config::Uid uid = 0;
    while (const ServerRef* found = tier.eligible.by_age().next_from(uid, uid)) {
      if ((*found)->weight.value_or(default_weight_) > 0) return out.upsert(*found);
      ++uid;
    }
    return;
  }
  out = is_panic && !is_backup ? tier.wanted : tier.eligible;
  out.keep_by_age(by_age_);
}

Tiers::Use Tiers::put_into(config::BackendSnapshot& snapshot) const {
  if (tiers_.size() == 1 && tiers_[0].rank != config::kBackupRank && !shape_.keeps_wanted) [[likely]] {
    snapshot.eligible = tiers_[0].eligible;
    snapshot.rank = tiers_[0].rank;
    return {};
  }
  config::TierShares now = shares();
  Use use{.panic = now.is_panic};
  bool is_first = true;
  for (size_t i = 0; i < tiers_.size(); ++i) {
    const Tier& tier = tiers_[i];
    config::EligibleServers servers;
    put_tier(tier, now.is_panic, servers);
    if (servers.weight(default_weight_) == 0) continue;
    use.on_backups |= tier.rank == config::kBackupRank && now.shares[i] > 0;
    if (std::exchange(is_first, false)) {
      snapshot.eligible = std::move(servers);
      snapshot.rank = tier.rank;
      snapshot.share = now.shares[i];
    } else {
      snapshot.further.push_back({tier.rank, now.shares[i], std::move(servers)});
    }
  }
  return use;
}

uint64_t Tiers::eligible() const {
  uint64_t sum = 0;
  for (const Tier& tier : tiers_) sum += tier.eligible.weighing(default_weight_);
  return sum;
}

std::vector<Tiers::Status> Tiers::status() const {
  config::TierShares now = shares();
  std::vector<Status> result;
  for (size_t i = 0; i < tiers_.size(); ++i) {
    result.push_back({tiers_[i].rank, tiers_[i].eligible.weighing(default_weight_), now.shares[i]});
  }
  return result;
}

}  // namespace fairlead::store
