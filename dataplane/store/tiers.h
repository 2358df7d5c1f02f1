// Which servers of one backend are picked from, and how much: tiers of servers that are preferred alike, with who of
// them is fit. Follows the backend's members, their health and its settings; costs what a change touches, but where the
// settings sort all members anew. Belongs to the store's thread.
#pragma once

#include <string>
#include <vector>

#include "config/snapshot.h"
#include "store/health.h"

namespace fairlead::store {

class Tiers {
 public:
  // What is known of a server beside its record.
  enum class Standing : uint8_t {
    // Is not to take requests: has never been in service, or its agent has taken it out.
    kAway,
    kUnfit,
    kFit,
  };
  // `health`: null where it is not checked.
  static Standing standing_of(const Health* health);

  // The backend's settings are these from now on; `own_zone` outlives this and never changes. False: all members have
  // to be placed anew, as if none had been here.
  bool take_settings(const config::Backend& settings, const std::string& own_zone);
  // A server as it was, and as it is, with what its agent wants; null where it was, or is, no member.
  void replace(const base::Ref<const config::Server>& before, Standing standing_before,
               const base::Ref<const config::Server>& after, Standing standing_after);

  struct Use {
    bool panic = false;
    bool on_backups = false;
    bool operator==(const Use&) const = default;
  };
  // Says what is used then.
  Use put_into(config::BackendSnapshot& snapshot) const;

  // That may be picked, whatever their tier: those that weigh something.
  uint64_t eligible() const;
  struct Status {
    uint8_t rank = 0;
    uint64_t eligible = 0;
    // Of TierShares::kWhole.
    uint32_t share = 0;
  };
  std::vector<Status> status() const;

 private:
  // What the order of servers follows from.
  struct Shape {
    config::ZonePreference zones;
    bool keeps_wanted = false;
    bool operator==(const Shape&) const = default;
  };
  struct Tier {
    uint8_t rank = 0;
    config::EligibleServers eligible;
    // Whatever their health, but for pending ones; empty where there is no panic.
    config::EligibleServers wanted;
    // Of these, weighted by themselves or by the backend's default.
    uint64_t wanted_weight = 0;
    uint64_t wanted_defaults = 0;
    bool is_empty() const { return eligible.size() == 0 && wanted_weight == 0 && wanted_defaults == 0; }
  };

  uint8_t rank_of(const config::Server& server) const { return config::rank_of(server, shape_.zones, *own_zone_); }
  Tier& tier(uint8_t rank);
  void drop_if_empty(uint8_t rank);
  // Where the algorithm goes by it, and for backups.
  void keep_by_age(Tier& tier) const;
  void count_wanted(const config::Server& server, bool comes);
  config::TierLoad load_of(const Tier& tier) const;
  config::TierShares shares() const;
  void put_tier(const Tier& tier, bool is_panic, config::EligibleServers& out) const;

  Shape shape_;
  bool by_age_ = false;
  config::Failover failover_;
  uint16_t default_weight_ = 1;
  const std::string* own_zone_ = nullptr;
  // By rank.
  std::vector<Tier> tiers_;
};

}  // namespace fairlead::store
