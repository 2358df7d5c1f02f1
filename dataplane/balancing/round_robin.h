// Weighted round robin over members that come and go.
//
// Two steps. Among the weight classes a smooth weighted round robin: each class earns its share of every pick, the one
// with the most credit is picked and pays one pick. Within the class a sweep over slots: the first server at the cursor
// or after it. So a pick costs one look-up and a few operations for each distinct weight, whatever the number of
// servers.
//
// Over a full cycle (as many picks as all weights add up to) without changes, each server is picked exactly `weight`
// times. Under changes nobody starves: a server stands at its slot however its neighbours come and go, so each sweep
// meets it, and a class keeps its credit while it is away. Credit is counted in picks, not in weights, so that what was
// earned among a million servers means the same among ten.
//
// State of one worker for one backend; one thread. Allocates only where a class appears or goes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

class RoundRobin {
 public:
  // Null where nothing is eligible. `random` says where to start, once for each class: workers and data planes that
  // start at the same time must not all begin with the same server.
  const config::Server* pick(const config::EligibleServers& eligible, uint16_t default_weight, base::Random& random);

 private:
  using Classes = std::vector<config::EligibleServers::Entry>;
  struct ClassState {
    uint16_t weight_class;
    // The sweep goes on here.
    config::Slot cursor;
    // Picks that it earned and has not had; their sum over the present classes never changes.
    double credit;
  };

  bool follows(const Classes& classes) const;
  void follow(const Classes& classes, base::Random& random);
  ClassState take_state(const config::EligibleServers::Entry& entry, double mean, base::Random& random);
  void skip_ahead(const Classes& classes, uint16_t default_weight, base::Random& random);
  // The index of the class whose turn it is; -1 where all weigh nothing.
  int choose_class(const Classes& classes, uint16_t default_weight);

  // In the order of the snapshot's classes.
  std::vector<ClassState> present_;
  // Of classes that have no members now. At most one for each possible weight.
  std::vector<ClassState> absent_;
};

}  // namespace fairlead::balancing
