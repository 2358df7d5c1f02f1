// Weighted round robin in one fixed order.
//
// A cycle has 256 rounds. In each, classes of equal weight are passed in the order of their weights, each from its
// first slot to its last, and a class of weight w takes part in w of the rounds, spread evenly. So a full cycle picks
// each server exactly `weight` times, and the order depends on the present members alone: two that begin together and
// see the same go on together. A change moves nobody else: the rounds of a class do not depend on the others.
//
// State of one worker for one backend: where it stands. One thread; no allocation. A pick costs one look-up and a few
// operations for each distinct weight.
#pragma once

#include <cstdint>

#include "config/snapshot.h"

namespace fairlead::balancing {

class StaticRoundRobin {
 public:
  // Null where nothing is eligible.
  const config::Server* pick(const config::EligibleServers& eligible, uint16_t default_weight);

 private:
  // The next server of this round, at (class_, slot_) or behind; null at its end.
  const config::Server* next_in_round(const config::EligibleServers& eligible, uint16_t default_weight);

  uint32_t round_ = 0;
  uint32_t class_ = 0;
  config::Slot slot_ = 0;
};

}  // namespace fairlead::balancing
