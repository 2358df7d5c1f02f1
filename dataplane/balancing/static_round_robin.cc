#include "balancing/static_round_robin.h"

#include <algorithm>

#include "balancing/shares.h"

namespace fairlead::balancing {
namespace {

constexpr uint32_t kRounds = config::kWeightMax;

// How many of the rounds before `round` have a place for a server of this weight.
uint32_t places_before(uint32_t round, uint32_t weight) { return round * weight / kRounds; }

bool takes_part(uint32_t round, uint32_t weight) {
  return places_before(round + 1, weight) > places_before(round, weight);
}

// The first round at `round` or after it in which a server of this weight takes part. At most kRounds - 1 for a round
// of the cycle: each weight above 0 takes part in its last one.
uint32_t next_round(uint32_t round, uint32_t weight) {
  uint32_t place = places_before(round, weight) + 1;
  return (place * kRounds + weight - 1) / weight - 1;
}

}  // namespace

const config::Server* StaticRoundRobin::pick(const config::EligibleServers& eligible, uint16_t default_weight) {
  for (int turn = 0; turn < 2; ++turn) {
    if (const config::Server* server = next_in_round(eligible, default_weight)) return server;
    // Rounds without anybody are passed over.
    uint32_t from = (round_ + 1) % kRounds;
    round_ = kRounds;
    eligible.classes().for_each([&](uint16_t weight_class, const auto&) {
      const uint32_t weight = weight_of(weight_class, default_weight);
      if (weight > 0) round_ = std::min(round_, next_round(from, weight));
    });
    class_ = 0;
    slot_ = 0;
    if (round_ == kRounds) {
      round_ = 0;
      return nullptr;
    }
  }
  return nullptr;
}

const config::Server* StaticRoundRobin::next_in_round(const config::EligibleServers& eligible,
                                                      uint16_t default_weight) {
  uint16_t weight_class = class_;
  while (const base::SlotSet* slots = eligible.classes().next_from(weight_class, weight_class)) {
    if (weight_class != class_) {
      class_ = weight_class;
      slot_ = 0;
    }
    ++weight_class;
    const uint32_t weight = weight_of(class_, default_weight);
    if (weight == 0 || !takes_part(round_, weight)) continue;
    config::Slot found = 0;
    if (!slots->next_from(slot_, found)) continue;
    slot_ = found + 1;
    return eligible.find(found)->get();
  }
  return nullptr;
}

}  // namespace fairlead::balancing
