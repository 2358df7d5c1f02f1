// Who stands in the tables of RING and MAGLEV.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/model.h"

namespace fairlead::config {

class EligibleServers;

struct HashCandidate {
  // What its places in a table follow from: its address. Where several have the same, the first of them by name has it,
  // and the others "ADDRESS/NAME".
  std::string identity;
  Slot slot = 0;
  // Above 0.
  uint32_t weight = 1;
};

// All of positive weight, sorted by identity: whatever the order in which they came.
std::vector<HashCandidate> hash_candidates(const EligibleServers& servers, uint16_t default_weight);

}  // namespace fairlead::config
