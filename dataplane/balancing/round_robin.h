// Weighted round robin over members that come and go.
//
// Two steps. Among the weight classes the earliest turn: a class whose servers weigh `share` together has a turn each
// 1 / share of a cycle, and whose turn is next stands at the top of a heap (C. Waldspurger, W. Weihl, "Stride
// scheduling", 1995). Within the class a sweep over slots: the first server at the cursor or after it. So a pick costs
// one look-up and the logarithm of the number of distinct weights, whatever the number of servers (where those are very
// many, turns are taken a few picks ahead, and who has them is fetched meanwhile); the first one after a change of
// shares costs a few operations for each distinct weight.
//
// Over a full cycle (as many picks as all weights add up to) without changes, each server is picked exactly `weight`
// times. Under changes nobody starves: a server stands at its slot however its neighbours come and go, so each sweep
// meets it, and a class keeps its place while its share changes and while it is away. What is left until its turn is
// counted in turns of its own, so that it means the same among a million servers and among ten. (Of a class whose
// members stay for less than one of its sweeps those that stay longer get some percent less than their share, as it has
// more turns while it has more members.)
//
// State of one worker for one backend; one thread. Allocates only where a class appears or goes.
#pragma once

#include <array>
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
  // With fewer, all of them are at hand.
  static constexpr uint64_t kFew = 1024;
  static constexpr uint32_t kAhead = 4;

  struct ClassState {
    uint16_t weight_class;
    // The sweep goes on here.
    config::Slot cursor;
    // When the shares last changed, its first turn was so many of its turns away; 0 to 1.
    double wait;
    // And so many it has had since.
    uint64_t turns = 0;
    uint64_t share = 0;

    // Of its next turn, in cycles since the shares last changed. Never a sum of roundings: equal times of two classes
    // are equal numbers.
    double time() const { return (wait + static_cast<double>(turns)) / static_cast<double>(share); }
  };
  struct Turn {
    double time;
    // In present_.
    uint32_t index;
    bool operator>(const Turn& other) const { return time != other.time ? time > other.time : index > other.index; }
  };

  void follow(const config::EligibleServers& eligible, uint16_t default_weight, base::Random& random);
  ClassState take_state(uint16_t weight_class, const base::SlotSet& slots, base::Random& random);
  // Where the server stands whose turn it is.
  config::Slot next_slot(const config::EligibleServers& eligible);
  void look_ahead(const config::EligibleServers& eligible);
  // The index of the class whose turn it is. Somebody weighs something.
  size_t next_class();

  // What is followed: EligibleServers::shape(), and what those weigh that have no weight of their own.
  uint64_t shape_ = 0;
  uint16_t default_weight_ = 0;
  // In the order of the snapshot's classes.
  std::vector<ClassState> present_;
  // Of classes that have no members now. At most one for each possible weight.
  std::vector<ClassState> absent_;
  // A heap, the earliest first: of present classes that weigh something.
  std::vector<Turn> turns_;
  // Of the last turn.
  double now_ = 0;
  // Of many servers, whose turns are next: a ring, so that the memory of several is waited for at once.
  std::array<config::Slot, kAhead> ahead_{};
  uint32_t ahead_first_ = 0;
  uint32_t ahead_size_ = 0;
};

}  // namespace fairlead::balancing
