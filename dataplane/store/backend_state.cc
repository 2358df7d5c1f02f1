#include "store/backend_state.h"

#include <algorithm>
#include <utility>

#include "config/settings.h"

namespace fairlead::store {
namespace {

bool has_limit(const config::Server& server) { return server.max_connections.value_or(0) > 0; }

}  // namespace

const base::Ref<const config::Server>* BackendState::find(std::string_view name) const {
  const config::Server* server = by_name.find(name);
  return server ? members.find(server->slot) : nullptr;
}

void BackendState::take_settings(base::Ref<const config::Backend> record, const std::string& own_zone) {
  if (!tiers.take_settings(*record, own_zone)) {
    members.for_each([this](config::Slot slot, const base::Ref<const config::Server>& member) {
      tiers.replace(nullptr, Tiers::Standing::kFit, adjusted_of(member), standing_of(slot));
    });
  }
  starters.take_settings(record->slow_start);
  hash_tables.take_settings(*record, members, adjusted);
  if (!persistence.take_settings(*record)) {
    persistence.build(members, [this](const base::Ref<const config::Server>& member) { return kept_of(member); });
  }
  settings = std::move(record);
}

base::Ref<const Health> BackendState::health_of(config::Slot slot) const {
  const base::Ref<const Health>* record = health.find(slot);
  return record ? *record : base::Ref<const Health>();
}

Tiers::Standing BackendState::standing_of(config::Slot slot) const {
  const base::Ref<const config::Server>* member = members.find(slot);
  if (member && !has_address(*member)) return Tiers::Standing::kAway;
  const base::Ref<const Health>* record = health.find(slot);
  Tiers::Standing standing = Tiers::standing_of(record ? record->get() : nullptr);
  if (ejections.empty() || standing != Tiers::Standing::kFit) return standing;
  return member && ejection_of(**member) ? Tiers::Standing::kUnfit : standing;
}

const base::Ref<const config::Server>& BackendState::adjusted_of(const base::Ref<const config::Server>& record) const {
  const base::Ref<const config::Server>* other = adjusted.find(record->slot);
  return other ? *other : record;
}

base::Ref<const Resolution> BackendState::resolution_of(config::Slot slot) const {
  const base::Ref<const Resolution>* record = resolutions.find(slot);
  return record ? *record : base::Ref<const Resolution>();
}

base::Ref<const config::Server> BackendState::kept_of(const base::Ref<const config::Server>& record) const {
  const base::Ref<const Health>* known = health.find(record->slot);
  if ((known && !(*known)->keeps_clients()) || ejection_of(*record) || !has_address(record)) return nullptr;
  return adjusted_of(record);
}

base::Ref<const Ejection> BackendState::ejection_of(const config::Server& record) const {
  if (ejections.empty() || !settings->outlier_detection) return nullptr;
  const base::Ref<const Ejection>* known = ejections.find(record.slot);
  return known && (*known)->is_of(record) ? *known : base::Ref<const Ejection>();
}

uint64_t BackendState::count_ejected() const {
  uint64_t count = 0;
  ejections.for_each([&](config::Slot slot, const base::Ref<const Ejection>&) {
    const base::Ref<const config::Server>* member = members.find(slot);
    if (!member || !ejection_of(**member)) return;
    const base::Ref<const Health>* known = health.find(slot);
    const config::Server& seen = *adjusted_of(*member);
    bool would = (!known || (*known)->is_fit()) && seen.takes_requests();
    count += would && seen.weight.value_or(settings->effective_default_weight()) > 0;
  });
  return count;
}

uint64_t BackendState::would_take_requests() const { return tiers.eligible() + count_ejected(); }

base::Ref<const config::Server> BackendState::taking_requests(config::Slot slot) const {
  const base::Ref<const config::Server>* member = members.find(slot);
  if (!member || standing_of(slot) != Tiers::Standing::kFit) return nullptr;
  const base::Ref<const config::Server>& seen = adjusted_of(*member);
  bool weighs = seen->weight.value_or(settings->effective_default_weight()) > 0;
  return seen->takes_requests() && weighs ? seen : base::Ref<const config::Server>();
}

void BackendState::note_newcomer(config::Slot slot) {
  if (settings->pool.effective_warm() > 0) newcomers.note(slot, taking_requests(slot));
}

void BackendState::set_ejection(config::Slot slot, base::Ref<const Ejection> ejection) {
  note_newcomer(slot);
  const base::Ref<const config::Server>* member = members.find(slot);
  Tiers::Standing standing_before = standing_of(slot);
  if (ejection) {
    ejections.set(slot, std::move(ejection));
  } else {
    ejections.erase(slot);
  }
  if (!member) return;
  base::Ref<const config::Server> adjusted_server = adjusted_of(*member);
  tiers.replace(adjusted_server, standing_before, adjusted_server, standing_of(slot));
  if (persistence.is_on()) persistence.upsert(*member, *member, kept_of(*member));
}

void BackendState::count(const base::Ref<const config::Server>& record, uint64_t change) {
  if (has_limit(*adjusted_of(record))) own_limits.limited += change;
  if (record->extras && record->extras->min_connections.value_or(0) > 0) own_limits.ramped += change;
  if (record->address.is_name()) named += change;
  if (record->is_discovered()) discovered += change;
  const base::Ref<const Health>* known = health.find(record->slot);
  if (known && (*known)->is_pending()) pending += change;
  if (known && (*known)->is_down()) down += change;
}

// The address that its name has, and what an agent wants in place of the record's, of which the weight follows the
// backend's default where it has none.
void BackendState::adjust(const config::Server& record, const Health* health_now, const Resolution* resolution_now) {
  const config::AgentState* wants = health_now && health_now->agent ? &health_now->agent->state : nullptr;
  if (wants && !wants->weight_percent && !wants->max_connections) wants = nullptr;
  bool has_other_address = resolution_now && resolution_now->address;
  if (!wants && !has_other_address) {
    adjusted.erase(record.slot);
    return;
  }
  auto changed = base::make_ref<config::Server>(record);
  if (has_other_address) changed->address = *resolution_now->address;
  if (wants && wants->weight_percent) {
    uint32_t weight = record.weight.value_or(settings->effective_default_weight());
    changed->weight = static_cast<uint16_t>(std::min((weight * *wants->weight_percent + 99) / 100, config::kWeightMax));
  }
  if (wants && wants->max_connections) changed->max_connections = *wants->max_connections;
  const base::Ref<const config::Server>* there = adjusted.find(record.slot);
  bool is_same = there && (*there)->metadata.uid == record.metadata.uid &&
                 (*there)->metadata.version == record.metadata.version && config::same_settings(**there, *changed);
  if (is_same) return;
  adjusted.set(record.slot, base::Ref<const config::Server>(changed));
}

void BackendState::place(const base::Ref<const config::Server>& before, const base::Ref<const config::Server>& after,
                         base::Ref<const Health> health_after, base::Ref<const Resolution> resolution_after) {
  note_newcomer(before ? before->slot : after->slot);
  Tiers::Standing standing_before = before ? standing_of(before->slot) : Tiers::Standing::kFit;
  base::Ref<const config::Server> adjusted_before = before ? adjusted_of(before) : nullptr;
  if (before) count(before, ~uint64_t{0});
  const config::Server& record = after ? *after : *before;
  if (after) {
    members.set(record.slot, after);
  } else {
    members.erase(record.slot);
  }
  bool may_differ = !health.empty() || health_after || !resolutions.empty() || resolution_after;
  if (may_differ) {
    adjust(record, after ? health_after.get() : nullptr, after ? resolution_after.get() : nullptr);
  }
  if (resolution_after) {
    resolutions.set(record.slot, std::move(resolution_after));
  } else {
    resolutions.erase(record.slot);
  }
  if (health_after) {
    health.set(record.slot, std::move(health_after));
  } else {
    health.erase(record.slot);
  }
  if (after) count(after, 1);
  base::Ref<const config::Server> adjusted_after = after ? adjusted_of(after) : nullptr;
  Tiers::Standing standing_after = after ? standing_of(after->slot) : Tiers::Standing::kFit;
  tiers.replace(adjusted_before, standing_before, adjusted_after, standing_after);
  if (after) {
    hash_tables.upsert(adjusted_before, adjusted_after);
  } else {
    hash_tables.erase(*adjusted_before);
  }
  if (!persistence.is_on()) return;
  if (after) {
    persistence.upsert(before, after, kept_of(after));
  } else {
    persistence.erase(*before);
  }
}

}  // namespace fairlead::store
