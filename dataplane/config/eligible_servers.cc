#include <algorithm>
#include <optional>

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

}  // namespace

void EligibleServers::upsert(const base::Ref<const Server>& before, const base::Ref<const Server>& after) {
  auto weight_class = class_of(*after);
  if (before && class_of(*before) != weight_class) erase(*before);
  if (!weight_class) return;
  auto at = position_of(classes_, *weight_class);
  if (at == classes_.end() || at->weight_class != *weight_class) at = classes_.insert(at, Entry{*weight_class, {}});
  at->servers.set(after->slot, after);
  if (keeps_by_age_) by_age_.set(after->metadata.uid, after);
}

void EligibleServers::erase(const Server& server) {
  auto weight_class = class_of(server);
  if (!weight_class) return;
  auto at = position_of(classes_, *weight_class);
  if (at == classes_.end() || at->weight_class != *weight_class) return;
  // The slot may be somebody else's by now.
  const auto* holder = at->servers.find(server.slot);
  if (!holder || (*holder)->metadata.uid != server.metadata.uid) return;
  if (keeps_by_age_) by_age_.erase(server.metadata.uid);
  at->servers.erase(server.slot);
  if (at->servers.empty()) classes_.erase(at);
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
  for (const Entry& entry : classes_) {
    if (const auto* server = entry.servers.find(slot)) return server;
  }
  return nullptr;
}

uint64_t EligibleServers::size() const {
  uint64_t size = 0;
  for (const Entry& entry : classes_) size += entry.servers.size();
  return size;
}

}  // namespace fairlead::config
