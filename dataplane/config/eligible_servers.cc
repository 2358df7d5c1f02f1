#include <algorithm>
#include <bit>
#include <optional>

#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::config {
namespace {

// Unset: not to be picked.
std::optional<uint16_t> class_of(const Server& server) {
  if (!server.takes_requests()) return std::nullopt;
  if (!server.weight) return EligibleServers::kDefaultClass;
  if (*server.weight == 0) return std::nullopt;
  return *server.weight;
}

// Where the class stands, or belongs.
auto position_of(auto& classes, uint16_t weight_class) {
  return std::ranges::lower_bound(classes, weight_class, {}, &EligibleServers::Entry::weight_class);
}

// The slot may be somebody else's by now.
bool holds(const EligibleServers::Class& servers, const Server& server) {
  const auto* holder = servers.find(server.slot);
  return holder && (*holder)->metadata.uid == server.metadata.uid;
}

// What one server of the weight adds.
uint64_t shape_of(uint16_t weight_class) { return base::split_mix((weight_class + 1) * base::kSplitMixStep); }

}  // namespace

void EligibleServers::upsert(const base::Ref<const Server>& before, const base::Ref<const Server>& after) {
  auto weight_class = class_of(*after);
  if (before && class_of(*before) != weight_class) erase(*before);
  if (!weight_class) return;
  auto at = position_of(classes_, *weight_class);
  if (at == classes_.end() || at->weight_class != *weight_class) at = classes_.insert(at, Entry{*weight_class});
  uint64_t size_before = at->servers.size();
  at->servers.set(after->slot, after);
  if (at->servers.size() > size_before) {
    ++size_;
    shape_ += shape_of(*weight_class);
    count_from(static_cast<size_t>(at - classes_.begin()));
  }
  if (keeps_by_age_) by_age_.set(after->metadata.uid, after);
  if (Class* level = level_of(*weight_class)) level->set(after->slot, after);
}

void EligibleServers::erase(const Server& server) {
  auto weight_class = class_of(server);
  if (!weight_class) return;
  auto at = position_of(classes_, *weight_class);
  if (at == classes_.end() || at->weight_class != *weight_class) return;
  if (!holds(at->servers, server)) return;
  if (keeps_by_age_) by_age_.erase(server.metadata.uid);
  if (Class* level = level_of(*weight_class); level && holds(*level, server)) level->erase(server.slot);
  at->servers.erase(server.slot);
  --size_;
  shape_ -= shape_of(*weight_class);
  auto index = static_cast<size_t>(at - classes_.begin());
  if (at->servers.empty()) classes_.erase(at);
  count_from(index);
}

void EligibleServers::count_from(size_t index) {
  uint64_t weight = index == 0 ? 0 : classes_[index - 1].weight_up_to;
  for (; index < classes_.size(); ++index) {
    // The default class is 0.
    weight += uint64_t{classes_[index].weight_class} * classes_[index].servers.size();
    classes_[index].weight_up_to = weight;
  }
}

size_t EligibleServers::class_at(uint64_t at, uint16_t default_weight) const {
  const uint64_t of_defaults = uint64_t{defaults()} * default_weight;
  if (at < of_defaults) return 0;
  auto found = std::ranges::upper_bound(classes_, at - of_defaults, {}, &Entry::weight_up_to);
  return static_cast<size_t>(found - classes_.begin());
}

EligibleServers::Class* EligibleServers::level_of(uint16_t weight_class) {
  if (levels_.empty() || weight_class == kDefaultClass) return nullptr;
  return &levels_[static_cast<size_t>(std::bit_width(weight_class) - 1)].servers;
}

void EligibleServers::keep_levels(bool keep) {
  if (keep != levels_.empty()) return;
  levels_.clear();
  if (!keep) return;
  for (unsigned level = 0; level < kLevels; ++level) {
    levels_.push_back({static_cast<uint16_t>(std::min(2u << level, kWeightMax + 1u) - 1)});
  }
  for (const Entry& entry : classes_) {
    Class* level = level_of(entry.weight_class);
    if (!level) continue;
    entry.servers.for_each([level](Slot slot, const auto& server) { level->set(slot, server); });
  }
}

void EligibleServers::keep_by_age(bool keep) {
  if (keep == keeps_by_age_) return;
  keeps_by_age_ = keep;
  by_age_ = {};
  if (!keep) return;
  for (const Entry& entry : classes_) {
    entry.servers.for_each([this](Slot, const auto& server) { by_age_.set(server->metadata.uid, server); });
  }
}

const base::Ref<const Server>* EligibleServers::find(Slot slot) const {
  const bool by_level = !levels_.empty() && classes_.size() > levels_.size() + 1;
  if (!by_level) {
    for (const Entry& entry : classes_) {
      if (const auto* server = entry.servers.find(slot)) return server;
    }
    return nullptr;
  }
  if (defaults() > 0) {
    if (const auto* server = classes_.front().servers.find(slot)) return server;
  }
  for (const Level& level : levels_) {
    if (const auto* server = level.servers.find(slot)) return server;
  }
  return nullptr;
}

}  // namespace fairlead::config
