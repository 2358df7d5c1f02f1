#include "config/eligible_servers.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <optional>

#include "base/random.h"

namespace fairlead::config {
namespace {

// Unset: not to be picked.
std::optional<uint16_t> weight_class_of(const Server& server) {
  if (!server.takes_requests()) return std::nullopt;
  if (!server.weight) return EligibleServers::kDefaultClass;
  if (*server.weight == 0) return std::nullopt;
  return *server.weight;
}

// What one server of the weight adds.
uint64_t shape_of(uint16_t weight_class) { return base::split_mix((weight_class + 1) * base::kSplitMixStep); }

unsigned level_of(uint16_t weight_class) { return static_cast<unsigned>(std::bit_width(weight_class) - 1); }

uint64_t next_edition() {
  static std::atomic<uint64_t> last = 0;
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

void EligibleServers::upsert(const base::Ref<const Server>& server) {
  const std::optional<uint16_t> weight_class = weight_class_of(*server);
  const auto* found = members_.find(server->slot);
  const base::Ref<const Server> before = found ? *found : nullptr;
  if (before && (before->metadata.uid != server->metadata.uid || weight_class_of(*before) != weight_class)) {
    erase(*before);
  }
  if (!weight_class) return;
  edition_ = next_edition();
  const uint64_t size_before = size();
  members_.set(server->slot, server);
  if (keeps_by_age_) by_age_.set(server->metadata.uid, server);
  if (size() > size_before) put(server->slot, *weight_class);
}

void EligibleServers::erase(const Server& server) {
  const auto* found = members_.find(server.slot);
  if (!found || (*found)->metadata.uid != server.metadata.uid) return;
  edition_ = next_edition();
  take_out(server.slot, *weight_class_of(**found));
  if (keeps_by_age_) by_age_.erase(server.metadata.uid);
  members_.erase(server.slot);
}

void EligibleServers::put(Slot slot, uint16_t weight_class) {
  if (!classes_.find(weight_class)) {
    classes_.set(weight_class, {});
    has_one_class_ = classes_.size() == 1;
  }
  classes_.change(weight_class).insert(slot);
  shape_ += shape_of(weight_class);
  if (weight_class == kDefaultClass) return void(++defaults_);
  own_.set(slot, weight_class);
  ++at_levels_[level_of(weight_class)];
}

void EligibleServers::take_out(Slot slot, uint16_t weight_class) {
  base::SlotSet& slots = classes_.change(weight_class);
  slots.erase(slot);
  if (slots.empty()) {
    classes_.erase(weight_class);
    has_one_class_ = classes_.size() == 1;
  }
  shape_ -= shape_of(weight_class);
  if (weight_class == kDefaultClass) return void(--defaults_);
  own_.erase(slot);
  --at_levels_[level_of(weight_class)];
}

EligibleServers::Places EligibleServers::places_at(uint64_t place, uint16_t default_weight) const {
  Slot slot = 0;
  if (has_one_class_) {
    const uint32_t weight = defaults_ > 0 ? default_weight : classes_.last();
    const auto rank = static_cast<uint32_t>(place / weight);
    members_.nth(rank, slot);
    return {uint64_t{rank} * weight, weight, slot};
  }
  const uint64_t of_defaults = uint64_t{defaults_} * default_weight;
  if (place >= of_defaults) return places_at(PlacesAhead{own_.search(place - of_defaults), place});
  const auto rank = static_cast<uint32_t>(place / default_weight);
  return {uint64_t{rank} * default_weight, default_weight, classes_.find(kDefaultClass)->nth(rank)};
}

EligibleServers::PlacesAhead EligibleServers::fetch_places(uint64_t place, uint16_t default_weight) const {
  const uint64_t of_defaults = uint64_t{defaults_} * default_weight;
  if (place < of_defaults || has_one_class_) return {.places = places_at(place, default_weight)};
  PlacesAhead ahead{own_.search(place - of_defaults), place};
  ahead.search.prefetch();
  return ahead;
}

EligibleServers::Places EligibleServers::places_at(const PlacesAhead& ahead) {
  if (ahead.places.weight > 0) return ahead.places;
  Slot slot = 0;
  uint64_t within = 0;
  const uint32_t weight = OwnWeights::at_place(ahead.search, slot, within);
  return {ahead.place - within, weight, slot};
}

void EligibleServers::keep_by_age(bool keep) {
  if (keep == keeps_by_age_) return;
  keeps_by_age_ = keep;
  by_age_ = {};
  if (!keep) return;
  members_.for_each([this](Slot, const auto& server) { by_age_.set(server->metadata.uid, server); });
}

}  // namespace fairlead::config
