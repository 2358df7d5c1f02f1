#include "balancing/random.h"

namespace fairlead::balancing {

Place place_among_classes(const config::EligibleServers& eligible, uint16_t default_weight, const Place& except,
                          uint64_t number) {
  const uint64_t total = eligible.weight(default_weight) - except.weight;
  if (total == 0) return {};
  uint64_t at = base::Random::scaled(number, total);
  if (!except.empty()) {
    uint64_t its = eligible.weight_before(except.class_index, default_weight) + uint64_t{except.rank} * except.weight;
    if (at >= its) at += except.weight;
  }
  const size_t index = eligible.class_at(at, default_weight);
  const uint32_t weight = weight_of(eligible.classes()[index], default_weight);
  return {index, static_cast<uint32_t>((at - eligible.weight_before(index, default_weight)) / weight), weight};
}

}  // namespace fairlead::balancing
