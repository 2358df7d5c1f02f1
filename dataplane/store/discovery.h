// Whom an SRV name makes servers of a backend. Pure, but for the record of what is known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ref.h"
#include "config/model.h"

namespace fairlead::store {

// What is known of a backend's discovery. An immutable record, shared by the model and those who list it.
struct DiscoveryState : base::RefCounted {
  // As in DiscoveryStatus; empty: nothing yet.
  std::string reason;
  // When a server last came or went.
  config::WallTime time{};
};

// Names of servers that are discovered begin with this, and no others do.
inline constexpr char kDiscoveredMark = '@';

struct Discovered {
  // "@app-1.internal:8080"
  std::string name;
  config::Endpoint address;
  uint16_t weight = 1;
  uint8_t priority = 0;
  bool operator==(const Discovered&) const = default;
};

// What several names list, as if one did: by priority, then by target and port; each target and port once, by its best
// record.
std::vector<config::Service> merge(std::vector<config::Service> services);

// The first `max` of these, with weights and priorities as Discovery in the schema says. Services whose names were too
// long for a server are left out.
std::vector<Discovered> discover(const std::vector<config::Service>& services, size_t max);

}  // namespace fairlead::store
