#include "balancing/round_robin.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "balancing/shares.h"

namespace fairlead::balancing {
namespace {

// Picks made for nobody at the start: enough to tell workers apart, few enough to be cheap.
constexpr uint64_t kStartsMax = 64;
// What a class begins with: as far from its turn as it is on average.
constexpr double kFirstWait = 0.5;

}  // namespace

const config::Server* RoundRobin::pick(const config::EligibleServers& eligible, uint16_t default_weight,
                                       base::Random& random) {
  if (shape_ != eligible.shape() || default_weight_ != default_weight) [[unlikely]]
    follow(eligible, default_weight, random);
  if (turns_.empty()) return nullptr;
  const auto& members = eligible.members();
  if (present_.size() == 1) {
    config::Slot& cursor = present_.front().cursor;
    config::Slot found = 0;
    const auto* server = members.next_from(cursor, found);
    if (!server) server = members.next_from(0, found);
    cursor = found + 1;
    return server->get();
  }
  if (eligible.size() > kFew) look_ahead(eligible);
  const base::Ref<const config::Server>* server = nullptr;
  if (ahead_size_ > 0) {
    --ahead_size_;
    server = members.find(ahead_[ahead_first_++ % kAhead]);
  }
  // Whose turn was ahead may have gone since.
  return server ? server->get() : members.find(next_slot(eligible))->get();
}

void RoundRobin::look_ahead(const config::EligibleServers& eligible) {
  for (; ahead_size_ < kAhead; ++ahead_size_) {
    const config::Slot slot = next_slot(eligible);
    eligible.members().prefetch(slot);
    ahead_[(ahead_first_ + ahead_size_) % kAhead] = slot;
  }
}

config::Slot RoundRobin::next_slot(const config::EligibleServers& eligible) {
  ClassState& state = present_[turns_.size() == 1 ? turns_.front().index : next_class()];
  const config::Slot slot = eligible.classes().find(state.weight_class)->next_around(state.cursor);
  state.cursor = slot + 1;
  return slot;
}

size_t RoundRobin::next_class() {
  const size_t index = turns_.front().index;
  now_ = turns_.front().time;
  ++present_[index].turns;
  const Turn next{present_[index].time(), static_cast<uint32_t>(index)};
  // Down from the top until nobody below is earlier.
  size_t at = 0;
  for (size_t below = 1; below < turns_.size(); below = 2 * at + 1) {
    if (below + 1 < turns_.size() && turns_[below] > turns_[below + 1]) ++below;
    if (!(next > turns_[below])) break;
    turns_[std::exchange(at, below)] = turns_[below];
  }
  turns_[at] = next;
  return index;
}

void RoundRobin::follow(const config::EligibleServers& eligible, uint16_t default_weight, base::Random& random) {
  const bool is_first = present_.empty() && absent_.empty();
  for (ClassState& state : present_) {
    if (state.share > 0) state.wait = std::clamp((state.time() - now_) * static_cast<double>(state.share), 0.0, 1.0);
    state.turns = state.share = 0;
  }
  now_ = 0;
  // Some may weigh nothing by now.
  if (default_weight_ != default_weight) ahead_size_ = 0;
  shape_ = eligible.shape();
  default_weight_ = default_weight;
  // From here on all states that are known are in absent_, and those that stay come back out of it.
  absent_.insert(absent_.end(), present_.begin(), present_.end());
  present_.clear();
  turns_.clear();
  eligible.classes().for_each([&](uint16_t weight_class, const base::SlotSet& slots) {
    ClassState& state = present_.emplace_back(take_state(weight_class, slots, random));
    state.share = uint64_t{weight_of(weight_class, default_weight)} * slots.size();
    if (state.share > 0) turns_.push_back({state.time(), static_cast<uint32_t>(present_.size() - 1)});
  });
  std::ranges::make_heap(turns_, std::greater<>());
  if (!is_first || turns_.size() < 2) return;
  for (uint64_t i = random.below(kStartsMax); i > 0; --i) next_class();
}

RoundRobin::ClassState RoundRobin::take_state(uint16_t weight_class, const base::SlotSet& slots, base::Random& random) {
  auto known = std::ranges::find(absent_, weight_class, &ClassState::weight_class);
  if (known == absent_.end()) {
    const auto start = static_cast<uint32_t>(random.below(slots.size()));
    return {.weight_class = weight_class, .cursor = slots.nth(start), .wait = kFirstWait};
  }
  ClassState state = *known;
  *known = absent_.back();
  absent_.pop_back();
  return state;
}

}  // namespace fairlead::balancing
