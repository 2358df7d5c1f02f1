// A server that is ejected for a while. Immutable records, shared by the model and those who list it.
#pragma once

#include <cstdint>
#include <string>

#include "base/ref.h"
#include "base/slot_map.h"
#include "config/model.h"

namespace fairlead::store {

struct Ejection : base::RefCounted {
  // Of this server, as long as it has this address; its slot may be another's by now.
  config::Uid server = 0;
  config::Endpoint address;
  uint32_t number = 0;
  config::WallTime time{};
  config::WallTime until{};
  std::string reason;

  bool is_of(const config::Server& record) const { return server == record.metadata.uid && address == record.address; }
};

// By slot, of the servers of a backend.
using EjectionBySlot = base::SlotMap<base::Ref<const Ejection>>;

}  // namespace fairlead::store
