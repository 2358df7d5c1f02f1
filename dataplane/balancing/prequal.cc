#include "balancing/prequal.h"

#include <algorithm>
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

// What is unknown is fastest while it is idle, and slowest until it has answered.
void ProbePool::Entry::score() {
  in_flight = static_cast<double>(probe.in_flight) / weight;
  if (probe.latency != config::Duration::zero()) {
    latency = static_cast<double>(probe.latency.count()) / weight;
  } else {
    latency = probe.in_flight == 0 ? 0 : std::numeric_limits<double>::infinity();
  }
}

void ProbePool::drop_old(config::Duration oldest) {
  for (size_t i = size_; i > 0; --i) {
    if (entries_[i - 1].time < oldest) remove(i - 1);
  }
}

void ProbePool::add(const config::Server& server, uint32_t weight, const Probe& probe, config::Duration now,
                    uint32_t pool_size) {
  note_in_flight(probe.in_flight);
  auto end = entries_.begin() + size_;
  auto at = std::find_if(entries_.begin(), end, [&](const Entry& entry) { return entry.uid == server.metadata.uid; });
  if (at == end && size_ < pool_size) {
    ++size_;
  } else if (at == end) {
    at = std::ranges::min_element(entries_.begin(), end, {}, &Entry::time);
  }
  *at = {.uid = server.metadata.uid,
         .slot = server.slot,
         .weight_class = server.weight.value_or(config::EligibleServers::kDefaultClass),
         .uses = 0,
         .weight = weight,
         .probe = probe,
         .time = now,
         .in_flight = 0,
         .latency = 0};
  at->score();
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

bool ProbePool::is_better(const Entry& a, const Entry& b, uint32_t threshold) const {
  bool hot = a.is_hot(threshold);
  if (hot != b.is_hot(threshold)) return !hot;
  return hot ? a.in_flight < b.in_flight : a.latency < b.latency;
}

size_t ProbePool::find_best(uint32_t threshold) const {
  size_t best = 0;
  for (size_t i = 1; i < size_; ++i) {
    if (is_better(entries_[i], entries_[best], threshold)) best = i;
  }
  return best;
}

const config::Server* ProbePool::find(const config::EligibleServers& eligible, uint16_t default_weight,
                                      const Entry& entry) {
  const auto& classes = eligible.classes();
  auto at = std::ranges::lower_bound(classes, entry.weight_class, {}, &config::EligibleServers::Entry::weight_class);
  if (at == classes.end() || at->weight_class != entry.weight_class) return nullptr;
  if (weight_of(*at, default_weight) == 0) return nullptr;
  const auto* server = at->servers.find(entry.slot);
  return server && (*server)->metadata.uid == entry.uid ? server->get() : nullptr;
}

// The paper's number of times that a probe may be used: as many as probes come in for those that leave otherwise, so
// that the pool neither runs dry nor grows old.
void ProbePool::use(size_t index, uint64_t servers, const config::PrequalSettings& settings) {
  constexpr double kDelta = 1;
  constexpr double kRemovedEach = 1;
  double share = static_cast<double>(settings.effective_pool_size()) / static_cast<double>(servers);
  double surplus = (1 - share) * settings.effective_probes() - kRemovedEach;
  Entry& entry = entries_[index];
  ++entry.probe.in_flight;
  entry.score();
  ++entry.uses;
  if (surplus > 0 && entry.uses >= std::max(1.0, (1 + kDelta) / surplus)) remove(index);
}

void ProbePool::remove_one(uint32_t threshold) {
  if (size_ <= kLeast) return;
  size_t goes = 0;
  for (size_t i = 1; i < size_; ++i) {
    bool before =
        worst_goes_next_ ? is_better(entries_[goes], entries_[i], threshold) : entries_[i].time < entries_[goes].time;
    if (before) goes = i;
  }
  remove(goes);
  worst_goes_next_ = !worst_goes_next_;
}

}  // namespace fairlead::balancing
