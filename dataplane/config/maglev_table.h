// The table of HASH's type MAGLEV: D. Eisenbud et al., "Maglev: a fast and reliable software network load balancer"
// (NSDI 2016), section 3.4, with weights and hashes as in Envoy, so that data planes agree on a key's server.
//
// Each server has a permutation of the table's places: offset + i x skip, where offset is XXH64(identity) modulo the
// size and skip XXH64(identity, seed 1) modulo (size - 1), plus 1 (identity: hash_candidates.h). In turn, in the order
// of identities, each takes the next of its places that is free; one of less than the greatest weight sits out turns in
// proportion. Where there are more servers than places, the last have none.
//
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ref.h"
#include "config/hash_candidates.h"

namespace fairlead::config {

class MaglevTable : public base::RefCounted {
 public:
  // `size`: a prime.
  MaglevTable(std::span<const HashCandidate> candidates, uint32_t size);

  bool empty() const { return slots_.empty(); }
  // Of whoever has the place of this key. Requires that there is somebody.
  Slot slot_of(uint64_t key) const { return slots_[key % slots_.size()]; }

 private:
  std::vector<Slot> slots_;
};

}  // namespace fairlead::config
