#include "balancing/round_robin.h"

#include <algorithm>

#include "balancing/shares.h"

namespace fairlead::balancing {
namespace {

// Picks made for nobody at the start: enough to tell workers apart, few enough to be cheap.
constexpr uint64_t kStartsMax = 64;

}  // namespace

const config::Server* RoundRobin::pick(const config::EligibleServers& eligible, uint16_t default_weight,
                                       base::Random& random) {
  const Classes& classes = eligible.classes();
  if (!follows(classes)) {
    bool is_first = present_.empty() && absent_.empty();
    follow(classes, random);
    if (is_first) skip_ahead(classes, default_weight, random);
  }
  int index = choose_class(classes, default_weight);
  if (index < 0) return nullptr;
  const auto& servers = classes[index].servers;
  config::Slot& cursor = present_[index].cursor;
  config::Slot found = 0;
  const auto* server = servers.next_from(cursor, found);
  if (!server) server = servers.next_from(0, found);
  cursor = found + 1;
  return server->get();
}

int RoundRobin::choose_class(const Classes& classes, uint16_t default_weight) {
  if (classes.size() == 1) return weight_of(classes[0], default_weight) > 0 ? 0 : -1;
  uint64_t total = 0;
  for (const auto& entry : classes) total += share_of(entry, default_weight);
  if (total == 0) return -1;
  double picks_per_weight = 1.0 / static_cast<double>(total);
  int best = -1;
  for (size_t i = 0; i < classes.size(); ++i) {
    uint64_t share = share_of(classes[i], default_weight);
    if (share == 0) continue;
    present_[i].credit += static_cast<double>(share) * picks_per_weight;
    if (best < 0 || present_[i].credit > present_[best].credit) best = static_cast<int>(i);
  }
  present_[best].credit -= 1;
  return best;
}

bool RoundRobin::follows(const Classes& classes) const {
  return std::ranges::equal(present_, classes, {}, &ClassState::weight_class,
                            &config::EligibleServers::Entry::weight_class);
}

void RoundRobin::follow(const Classes& classes, base::Random& random) {
  auto is_present = [&classes](const ClassState& state) {
    return std::ranges::binary_search(classes, state.weight_class, {}, &config::EligibleServers::Entry::weight_class);
  };
  double sum = 0;
  int staying = 0;
  for (const ClassState& state : present_) {
    if (is_present(state)) sum += state.credit, ++staying;
  }
  double mean = staying > 0 ? sum / staying : 0;
  // From here on all states that are known are in absent_, and those that stay come back out of it.
  absent_.insert(absent_.end(), present_.begin(), present_.end());
  present_.clear();
  for (const auto& entry : classes) present_.push_back(take_state(entry, mean, random));
}

RoundRobin::ClassState RoundRobin::take_state(const config::EligibleServers::Entry& entry, double mean,
                                              base::Random& random) {
  auto known = std::ranges::find(absent_, entry.weight_class, &ClassState::weight_class);
  if (known == absent_.end()) {
    ClassState fresh{entry.weight_class, 0, mean};
    entry.servers.nth(static_cast<uint32_t>(random.below(entry.servers.size())), fresh.cursor);
    return fresh;
  }
  ClassState state = *known;
  *known = absent_.back();
  absent_.pop_back();
  // What the others' credit is counted from may have moved while it was away. In a cycle no class is ever further from
  // the mean than about one pick, so this cuts off only what is not worth anything any more.
  state.credit = std::clamp(state.credit, mean - 1, mean + 1);
  return state;
}

// Whole picks instead of random credits: only credits that picks lead to come back to where they were after each cycle.
void RoundRobin::skip_ahead(const Classes& classes, uint16_t default_weight, base::Random& random) {
  if (classes.size() < 2) return;
  for (uint64_t i = random.below(kStartsMax); i > 0; --i) choose_class(classes, default_weight);
}

}  // namespace fairlead::balancing
