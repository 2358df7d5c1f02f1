// What is known of the address of a server that has a name. An immutable record, shared by the model and those who list
// it.
#pragma once

#include <optional>
#include <string>

#include "base/ref.h"
#include "base/slot_map.h"
#include "config/model.h"

namespace fairlead::store {

struct Resolution : base::RefCounted {
  // Where it is, with its port. Unset: nowhere, and it takes nothing.
  std::optional<config::Endpoint> address;
  // As in ServerStatus.resolution; never empty.
  std::string reason;
  // When the address last changed.
  config::WallTime time{};
};

// Of a backend's members with names, by slot; of one without a record nothing is known yet.
using ResolutionBySlot = base::SlotMap<base::Ref<const Resolution>>;

}  // namespace fairlead::store
