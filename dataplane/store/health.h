// What is known of a checked server's health, and what its agent says. Immutable records, shared by the model and those
// who list it.
#pragma once

#include <cstdint>
#include <string>

#include "base/ref.h"
#include "base/slot_map.h"
#include "config/agent_state.h"
#include "config/model.h"

namespace fairlead::store {

struct Agent : base::RefCounted {
  config::AgentState state;
  // When it last changed.
  config::WallTime time{};
};

struct Health : base::RefCounted {
  enum class State : uint8_t {
    // Waits for its first success, and takes nothing.
    kPending,
    // Takes requests until its first check says otherwise.
    kPresumed,
    kUp,
    kDown,
  };

  State state = State::kPending;
  // Of which check: a result of another one says nothing about this server as it is now.
  uint64_t check = 0;
  // When the health that clients see last changed; with `reason`, of the last result that counts. Empty: none so far.
  config::WallTime time{};
  std::string reason;
  // Null: it has said nothing.
  base::Ref<const Agent> agent;

  bool is_fit() const {
    bool passes = state == State::kPresumed || state == State::kUp;
    return passes && (!agent || agent->state.takes_requests());
  }
  // One may come back to it who had it: also where its agent wants nobody else.
  bool keeps_clients() const {
    bool passes = state == State::kPresumed || state == State::kUp;
    return passes && (!agent || (agent->state.wish != config::AgentState::Wish::kMaintenance && !agent->state.is_down));
  }
  bool is_pending() const { return state == State::kPending; }
  bool is_down_by_agent() const { return agent && agent->state.is_down; }
  // Has been in service, and is not.
  bool is_down() const { return state == State::kDown || (!is_pending() && is_down_by_agent()); }
};

// As clients see it; null is not checked.
enum class SeenHealth : uint8_t { kUnknown, kUp, kDown };
inline SeenHealth seen(const Health* health) {
  if (health && health->is_down_by_agent()) return SeenHealth::kDown;
  if (!health || health->reason.empty()) return SeenHealth::kUnknown;
  return health->state == Health::State::kUp ? SeenHealth::kUp : SeenHealth::kDown;
}
// Why it is so; empty for unknown.
inline std::string reason_of(const Health& health) {
  return health.is_down_by_agent() ? "agent: " + health.agent->state.said : health.reason;
}

// Of a backend's checked servers, by slot.
using HealthBySlot = base::SlotMap<base::Ref<const Health>>;

}  // namespace fairlead::store
