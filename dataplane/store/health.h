// What is known of a checked server's health. An immutable record, shared by the model and those who list it.
#pragma once

#include <cstdint>
#include <string>

#include "base/ref.h"
#include "base/slot_map.h"
#include "config/model.h"

namespace fairlead::store {

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

  bool is_fit() const { return state == State::kPresumed || state == State::kUp; }
  bool has_result() const { return !reason.empty(); }
};

// Of a backend's checked servers, by slot.
using HealthBySlot = base::SlotMap<base::Ref<const Health>>;

}  // namespace fairlead::store
