// Resources as a reader sees them: the record and what the store knows beside it. Values; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/slot_map.h"
#include "config/certificate.h"
#include "config/model.h"
#include "fairlead/v1/resources.pb.h"
#include "store/discovery.h"
#include "store/ejection.h"
#include "store/health.h"
#include "store/resolution.h"
#include "store/tiers.h"

namespace fairlead::store {

struct ServerView {
  std::string backend;
  base::Ref<const config::Server> record;
  v1::Lifecycle lifecycle = v1::LIFECYCLE_UNSPECIFIED;
  // What the balancer uses; 0 for one that takes nothing new.
  uint32_t effective_weight = 0;
  // Null: it is not checked.
  base::Ref<const Health> health{};
  // Null: it is not ejected.
  base::Ref<const Ejection> ejection{};
  // Null: it has no name, or nothing is known of that yet.
  base::Ref<const Resolution> resolution{};
  // The SRV name that has it; empty for one that was added.
  std::string discovered_by{};
  // Of a deleted server that finishes.
  std::optional<config::WallTime> drain_deadline{};
  // The backend's, for those who ask the workers of it; only from a Reader.
  config::BackendHandle handle{};
};

struct DiscoveryView {
  uint64_t servers = 0;
  std::string reason;
  config::WallTime time{};

  static DiscoveryView of(uint64_t servers, const DiscoveryState& state) {
    return {.servers = servers, .reason = state.reason, .time = state.time};
  }
};

struct BackendView {
  base::Ref<const config::Backend> record;
  // Members: all but the deleted.
  uint64_t servers = 0;
  uint64_t eligible = 0;
  // Members and deleted ones.
  uint64_t draining = 0;
  // Of the checked members.
  uint64_t pending = 0;
  uint64_t down = 0;
  uint64_t ejected = 0;
  // Set where there is a discovery.
  std::optional<DiscoveryView> discovery{};
  Tiers::Use use{};
  // Empty where all servers are preferred alike.
  std::vector<Tiers::Status> tiers{};
};

struct ListenerView {
  base::Ref<const config::Listener> record;
};

struct CertificateView {
  base::Ref<const config::Certificate> record;
  // Who names it; only from a Reader.
  std::vector<std::string> listeners{};
};

template <typename View>
struct Page {
  std::vector<View> items;
  // More follow after the last that was looked at, whose key this is.
  std::optional<std::string> next;
  config::Version version = 0;
};

using Members = base::SlotMap<base::Ref<const config::Server>>;

// Everything at one version. Cheap to take: servers are shared with the model until either changes.
struct Everything {
  struct Group {
    BackendView backend;
    Members members;
    HealthBySlot health;
    EjectionBySlot ejections;
    // As BackendState.adjusted.
    Members adjusted;
    ResolutionBySlot resolutions;
  };
  config::Version version = 0;
  std::vector<ListenerView> listeners;
  std::vector<CertificateView> certificates;
  std::vector<Group> backends;
  // Members whose lifecycle does not follow from their record: admin state DRAIN, and drained. Sorted.
  std::vector<config::Uid> drained;
  // Deleted ones that still drain.
  std::vector<ServerView> departing;

  ServerView view(const Group& group, const base::Ref<const config::Server>& server) const;
};

// Of a member as the workers see it, whose address is a name only where that has none. `drained` tells DRAINED from
// DRAINING; `health`: null where it is not checked.
v1::Lifecycle lifecycle_of(const config::Server& server, bool drained, const Health* health);
// `server`: with what its agent wants.
uint32_t effective_weight_of(const config::Server& server, const config::Backend& backend, const Health* health);
// As ServerView has it.
std::string discovered_by(const config::Server& server, const config::Backend& backend);
// As clients see it.
v1::Health health_of(const Health* health);

}  // namespace fairlead::store
