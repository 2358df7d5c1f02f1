#include "balancing/prequal.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace fairlead::balancing {

// ---- LatencyRecord

void LatencyRecord::observe(config::Duration latency, uint32_t in_flight, config::Duration now) {
  auto us = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
  estimate_until_ = config::Duration::min();
  responses_[count_++ % kKept] = {
      now, static_cast<uint32_t>(std::clamp<int64_t>(us, 1, std::numeric_limits<uint32_t>::max())), in_flight};
}

config::Duration LatencyRecord::estimate(uint32_t in_flight, config::Duration now) {
  if (now <= estimate_until_ && in_flight == estimate_in_flight_) return estimate_;
  struct Near {
    uint32_t distance;
    uint32_t latency_us;
  };
  // The nearest so far, sorted; of those that are equally near the newest.
  std::array<Near, kNearest> nearest;
  size_t found = 0;
  config::Duration oldest = config::Duration::max();
  for (uint32_t back = 1; back <= std::min<uint32_t>(count_, kKept); ++back) {
    const Response& response = responses_[(count_ - back) % kKept];
    if (now - response.time > kMaxAge) break;
    uint32_t distance = std::max(response.in_flight, in_flight) - std::min(response.in_flight, in_flight);
    if (found == kNearest && nearest[kNearest - 1].distance <= distance) continue;
    size_t at = found < kNearest ? found++ : kNearest - 1;
    for (; at > 0 && nearest[at - 1].distance > distance; --at) nearest[at] = nearest[at - 1];
    nearest[at] = {distance, response.latency_us};
    oldest = response.time;
  }
  if (found == 0) return config::Duration::zero();
  std::ranges::nth_element(nearest.begin(), nearest.begin() + (found - 1) / 2, nearest.begin() + found, {},
                           &Near::latency_us);
  estimate_ = std::chrono::microseconds(nearest[(found - 1) / 2].latency_us);
  estimate_in_flight_ = in_flight;
  // Another may take the place of one that is too old.
  estimate_until_ = oldest + kMaxAge;
  return estimate_;
}

// ---- ProbePool

// By in flight where hot, which all come behind the others, by latency otherwise, each for its weight; what is unknown
// is fastest while it is idle, and slowest until it has answered. Numbers that are not negative are in the order of
// their bits.
uint64_t ProbePool::order_of(const Entry& entry) const {
  constexpr uint64_t kHot = uint64_t{1} << 63;
  const Probe& probe = entry.probe;
  const double in_flight = static_cast<double>(probe.in_flight) * entry.one_by_weight;
  if (probe.is_overloaded || probe.in_flight > hot_threshold_) return std::bit_cast<uint64_t>(in_flight) | kHot;
  const bool is_awaited = probe.latency == config::Duration::zero() && probe.in_flight > 0;
  return std::bit_cast<uint64_t>(is_awaited ? std::numeric_limits<double>::infinity()
                                            : static_cast<double>(probe.latency.count()) * entry.one_by_weight);
}

// The paper's number of times that a probe may be used: as many as probes come in for those that leave otherwise, so
// that the pool neither runs dry nor grows old.
void ProbePool::put_in_order(uint64_t servers, const config::PrequalSettings& settings) {
  constexpr double kDelta = 1;
  constexpr double kRemovedEach = 1;
  double share = static_cast<double>(settings.effective_pool_size()) / static_cast<double>(servers);
  double surplus = (1 - share) * settings.effective_probes() - kRemovedEach;
  uses_max_ = surplus > 0 ? static_cast<uint32_t>(std::max(1.0, std::ceil((1 + kDelta) / surplus)))
                          : std::numeric_limits<uint32_t>::max();
  hot_threshold_ = hot_threshold(settings.effective_hot_percent());
  for (size_t i = 0; i < size_; ++i) orders_[i] = order_of(entries_[i]);
  best_ = find_best();
}

void ProbePool::drop_old(config::Duration oldest) {
  for (size_t i = size_; i > 0; --i) {
    if (times_[i - 1] < oldest) remove(i - 1);
  }
}

void ProbePool::add(const Draw& draw, const Probe& probe, config::Duration now, uint32_t pool_size) {
  note_in_flight(probe.in_flight);
  // Whoever stood at the slot before is gone.
  size_t at = 0;
  while (at < size_ && slots_[at] != draw.slot) ++at;
  if (at == size_ && size_ < pool_size) {
    ++size_;
  } else if (at == size_) {
    at = find_oldest();
  }
  entries_[at] = {.uid = draw.server->metadata.uid, .probe = probe, .one_by_weight = 1.0 / draw.weight, .uses = 0};
  slots_[at] = draw.slot;
  times_[at] = now;
}

void ProbePool::note_in_flight(uint32_t in_flight) {
  auto number = static_cast<uint8_t>(std::min(in_flight, kInFlightMax));
  uint8_t& place = seen_[seen_count_ % kSeen];
  if (seen_count_ >= kSeen) --seen_times_[place];
  ++seen_times_[number];
  place = number;
  // Beyond the first round only the place in it matters.
  seen_count_ = seen_count_ + 1 < 2 * kSeen ? seen_count_ + 1 : kSeen;
}

// The smallest number that so many percent of those seen do not exceed.
uint32_t ProbePool::hot_threshold(uint32_t percent) const {
  if (percent == 100) return std::numeric_limits<uint32_t>::max();
  uint32_t seen = std::min<uint32_t>(seen_count_, kSeen);
  uint32_t below = 0;
  for (uint32_t number = 0; number < kInFlightMax; ++number) {
    below += seen_times_[number];
    if (below * 100 >= seen * percent && below > 0) return number;
  }
  return kInFlightMax;
}

size_t ProbePool::find_best() const {
  size_t best = 0;
  uint64_t least = orders_[0];
  for (size_t i = 1; i < size_; ++i) {
    best = orders_[i] < least ? i : best;
    least = std::min(orders_[i], least);
  }
  return best;
}

size_t ProbePool::find_worst() const {
  return static_cast<size_t>(std::max_element(orders_.begin(), orders_.begin() + size_) - orders_.begin());
}

size_t ProbePool::find_oldest() const {
  size_t oldest = 0;
  config::Duration least = times_[0];
  for (size_t i = 1; i < size_; ++i) {
    oldest = times_[i] < least ? i : oldest;
    least = std::min(times_[i], least);
  }
  return oldest;
}

const config::Server* ProbePool::find(const config::EligibleServers& eligible, uint16_t default_weight,
                                      size_t index) const {
  const auto* server = eligible.find(slots_[index]);
  if (!server || (*server)->metadata.uid != entries_[index].uid) return nullptr;
  return (*server)->weight.value_or(default_weight) > 0 ? server->get() : nullptr;
}

void ProbePool::use(size_t index) {
  Entry& entry = entries_[index];
  if (++entry.uses >= uses_max_) return remove(index);
  ++entry.probe.in_flight;
  orders_[index] = order_of(entry);
}

void ProbePool::remove_one() {
  if (size_ <= kLeast) return;
  remove(worst_goes_next_ ? find_worst() : find_oldest());
  worst_goes_next_ = !worst_goes_next_;
}

void ProbePool::remove(size_t index) {
  best_ = kMost;
  --size_;
  entries_[index] = entries_[size_];
  orders_[index] = orders_[size_];
  slots_[index] = slots_[size_];
  times_[index] = times_[size_];
}

}  // namespace fairlead::balancing
