// A backend whose members change, for tests of balancing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

class Members {
 public:
  using ServerRef = base::Ref<const config::Server>;

  Members() { eligible_.keep_by_age(true); }

  config::Uid add(std::optional<uint16_t> weight = std::nullopt) {
    config::Slot slot = 0;
    while (by_slot_.contains(slot)) ++slot;
    return add_at(slot, weight);
  }
  config::Uid add_at(config::Slot slot, std::optional<uint16_t> weight) {
    auto server = make(next_uid_++, slot, weight);
    eligible_.upsert(server);
    by_slot_[slot] = server;
    return server->metadata.uid;
  }
  void remove(config::Uid uid) {
    ServerRef server = find(uid);
    eligible_.erase(*server);
    by_slot_.erase(server->slot);
  }
  void set_weight(config::Uid uid, std::optional<uint16_t> weight) {
    ServerRef before = find(uid);
    auto after = make(uid, before->slot, weight);
    eligible_.upsert(after);
    by_slot_[after->slot] = after;
  }

  ServerRef find(config::Uid uid) const {
    for (const auto& [slot, server] : by_slot_) {
      if (server->metadata.uid == uid) return server;
    }
    return nullptr;
  }
  std::vector<config::Uid> uids() const {
    std::vector<config::Uid> uids;
    for (const auto& [slot, server] : by_slot_) uids.push_back(server->metadata.uid);
    return uids;
  }
  // What each weighs, where those without a weight weigh `default_weight`.
  std::map<config::Uid, uint64_t> weights(uint16_t default_weight) const {
    std::map<config::Uid, uint64_t> weights;
    for (const auto& [slot, server] : by_slot_) weights[server->metadata.uid] = server->weight.value_or(default_weight);
    return weights;
  }
  const config::EligibleServers& eligible() const { return eligible_; }
  config::BackendSnapshot snapshot(config::Algorithm algorithm, uint16_t default_weight = 1) const {
    auto settings = base::make_ref<config::Backend>();
    settings->algorithm = algorithm;
    settings->default_weight = default_weight;
    config::BackendSnapshot snapshot;
    snapshot.settings = settings;
    snapshot.eligible = eligible_;
    return snapshot;
  }

 private:
  static ServerRef make(config::Uid uid, config::Slot slot, std::optional<uint16_t> weight) {
    auto server = base::make_ref<config::Server>();
    server->metadata.uid = uid;
    server->slot = slot;
    server->weight = weight;
    server->name = "s" + std::to_string(uid);
    server->address = config::Endpoint(config::Ip4Endpoint{0x0a000000u + static_cast<uint32_t>(uid), 80});
    return server;
  }

  std::map<config::Slot, ServerRef> by_slot_;
  config::EligibleServers eligible_;
  config::Uid next_uid_ = 1;
};

// One of 20 to 40 goes, comes, or has another weight.
template <typename DrawWeight>
void change_one(Members& members, base::Random& random, DrawWeight&& draw_weight) {
  std::vector<config::Uid> uids = members.uids();
  config::Uid one = uids[random.below(uids.size())];
  if (uids.size() > 40 || (uids.size() > 20 && random.below(2) == 0)) {
    members.remove(one);
  } else if (random.below(2) == 0) {
    members.set_weight(one, draw_weight());
  } else {
    members.add(draw_weight());
  }
}

inline uint64_t total_of(const std::map<config::Uid, uint64_t>& weights) {
  uint64_t total = 0;
  for (const auto& [uid, weight] : weights) total += weight;
  return total;
}

}  // namespace fairlead::balancing
