#include "balancing/random.h"

namespace fairlead::balancing {
namespace {

uint64_t total_share(const config::EligibleServers& eligible, uint16_t default_weight) {
  uint64_t total = 0;
  for (const auto& entry : eligible.classes()) total += share_of(entry, default_weight);
  return total;
}

}  // namespace

Place place_among_classes(const config::EligibleServers& eligible, uint16_t default_weight, const Place& except,
                          uint64_t number) {
  uint64_t total = total_share(eligible, default_weight) - except.weight;
  if (total == 0) return {};
  uint64_t left = base::Random::scaled(number, total);
  const auto& classes = eligible.classes();
  for (size_t i = 0; i < classes.size(); ++i) {
    bool holds_except = !except.empty() && i == except.class_index;
    uint32_t weight = weight_of(classes[i], default_weight);
    uint64_t share = share_of(classes[i], default_weight) - (holds_except ? weight : 0);
    if (left >= share) {
      left -= share;
      continue;
    }
    auto rank = static_cast<uint32_t>(left / weight);
    if (holds_except && rank >= except.rank) ++rank;
    return {i, rank, weight};
  }
  return {};
}

}  // namespace fairlead::balancing
