// Consistent hashing: a key keeps its server until that one goes, and takes another only for one that comes.
//
// Weighted rendezvous hashing (D. Thaler, C. Ravishankar, 1998; weights: C. Schindelhauer, G. Schomaker, 2005): for a
// key each place (a server's slot) has a time, exponential with mean 1, and the key's server is the one with the least
// time / weight. So shares are the weights' exactly; a server that goes gives away its own keys, by the others'
// weights, and nobody else's move; one that comes, or a greater weight, takes its share from all and moves nothing
// between them.
//
// The least is found by sampling, without any table and without looking at all servers. Places are divided into ranges,
// [0, 16), [16, 64), [64, 256), [256, 1024) ..., and for a key each range is a Poisson process of its own: arrivals at
// uniform places, one a unit of time for each place on average. A place's time is its first arrival's. So the first
// arrival at a place where somebody stands is the least of the range, and of another range only arrivals before the
// best so far matter, most often none. That is one look where places are taken, and a few numbers drawn for each time
// that the servers become four times as many. More servers mean more ranges, and change nothing in the others.
//
// Where hardly anybody stands in a range, arrivals are not waited for longer than kArrivalsMax. From there on each
// place that has had none gets its time directly: what is left to wait is exponential again, so nothing else changes.
//
// Times do not depend on weights, and a search looks at weights alone, which take little memory; at records only of who
// is best. All weights are searched together, by arrivals at the heaviest of them: the search goes on behind a lighter
// server for as long as a heavier one would still be before it. Where few are much heavier than the others that would
// be long, and weights that are within a factor of two of each other are searched together, nine times at most. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "balancing/shares.h"
#include "base/choose.h"
#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

// Places that share a process.
struct PlaceRange {
  explicit constexpr PlaceRange(unsigned of_number)
      : number(of_number),
        first(number == 0 ? 0 : kFirstSize << (2 * (number - 1))),
        size(number == 0 ? kFirstSize : first * 3),
        rate(size),
        mean_gap(1.0 / size) {}
  static constexpr unsigned number_of(config::Slot place) {
    return (static_cast<unsigned>(std::bit_width(place | (kFirstSize - 1)) - std::bit_width(kFirstSize - 1)) + 1) / 2;
  }

  static constexpr config::Slot kFirstSize = 16;
  unsigned number;
  config::Slot first;
  config::Slot size;
  // Arrivals in a unit of time, and the time between two.
  double rate;
  double mean_gap;
};

// All of them, by number.
inline constexpr auto kPlaceRanges = []<size_t... kNumbers>(std::index_sequence<kNumbers...>) {
  return std::array{PlaceRange(kNumbers)...};
}(std::make_index_sequence<PlaceRange::number_of(std::numeric_limits<config::Slot>::max()) + 1>());

// What happens to a key at places, as numbers that look random and depend on the key alone: a counter for each range,
// mixed.
class KeyProcess {
 public:
  explicit KeyProcess(uint64_t key) : key_(key) {}

  struct Arrival {
    uint64_t bits;

    // The time since the arrival before is -ln(uniform) x the range's mean gap; 0 < uniform <= 1. Of the high 40 bits.
    double uniform() const { return static_cast<double>((bits >> 24) + 1) * 0x1p-40; }
    // The product's high bits are as even for each uniform.
    config::Slot place(const PlaceRange& range) const {
      return range.first + static_cast<config::Slot>(base::Random::scaled(bits * kOffsetFactor, range.size));
    }
  };
  Arrival arrival(const PlaceRange& range, uint32_t number) const {
    return {base::split_mix(key_ + range.number * kRangeStep + number * base::kSplitMixStep)};
  }
  // For the time of a place after kArrivalsMax arrivals elsewhere: -ln of it.
  double uniform_of(config::Slot place) const { return Arrival{base::split_mix(~key_ + place * kRangeStep)}.uniform(); }

 private:
  static constexpr uint64_t kRangeStep = 0xd1342543de82ef95;
  static constexpr uint64_t kOffsetFactor = 0xa0761d6478bd642f;

  uint64_t key_;
};

// The search for one key's server.
class ConsistentSearch {
 public:
  static constexpr uint32_t kArrivalsMax = 128;
  // How often a server that is not allowed is met before the search ends with what it has: where nearly all are full, a
  // request is not kept waiting for the last one among a million that is not. A thousand servers are never too many.
  static constexpr int kRefusalsMax = 4096;

  // Somebody weighs something.
  ConsistentSearch(const config::EligibleServers& eligible, uint16_t default_weight, uint64_t key)
      : eligible_(eligible), default_weight_(default_weight), process_(key) {}

  // Where the key's server stands; false where there is none. `allowed(slot)`: whether it may be the one.
  template <typename Allowed>
  bool find(config::Slot& found, Allowed&& allowed) {
    fetch();
    const uint32_t heaviest =
        std::max<uint32_t>(eligible_.classes().last(), eligible_.defaults() > 0 ? default_weight_ : 0);
    const uint64_t together = eligible_.weight(default_weight_);
    if (eligible_.size() * heaviest <= kTogetherMax * together) {
      look_through({1, heaviest}, true, allowed);
    } else {
      look_through_levels(allowed);
    }
    found = best_;
    return has_best_;
  }

 private:
  // A heaviest server that weighs at most so many times what one does on average costs as many arrivals.
  static constexpr uint64_t kTogetherMax = 8;
  // Where e^-x is nothing.
  static constexpr double kBudgetMax = 700;

  // Who weighs from one to the other.
  struct Weights {
    uint32_t lightest = 0;
    uint32_t heaviest = 0;
    bool has(uint32_t weight) const { return weight >= lightest && weight <= heaviest; }
  };

  bool has_given_up() const { return refusals_left_ <= 0; }

  // The first places of the largest ranges, of which one is most likely to be the key's.
  void fetch() const {
    const unsigned highest = PlaceRange::number_of(eligible_.members().last());
    if (highest == 0) return;
    for (unsigned number : {highest - 1, highest}) {
      for (uint32_t i = 0; i < 2; ++i)
        eligible_.prefetch(process_.arrival(kPlaceRanges[number], i).place(kPlaceRanges[number]));
    }
  }

  template <typename Allowed>
  void look_through_levels(Allowed& allowed) {
    struct Level {
      Weights weights;
      uint64_t most = 0;
    };
    std::array<Level, config::EligibleServers::kLevels> levels;
    size_t count = 0;
    for (unsigned level = 0; level < config::EligibleServers::kLevels; ++level) {
      const Weights weights{1u << level, std::min((2u << level) - 1, uint32_t{config::kWeightMax})};
      const uint64_t size = eligible_.at_level(level) + (weights.has(default_weight_) ? eligible_.defaults() : 0);
      if (size == 0) continue;
      levels[count] = {weights, size * weights.heaviest};
      // Who is most likely to have the key's server goes first: the others then end early.
      if (levels[count].most > levels[0].most) std::swap(levels[count], levels[0]);
      ++count;
    }
    for (size_t i = 0; i < count && !has_given_up(); ++i) look_through(levels[i].weights, i + 1 == count, allowed);
  }

  // `is_last`: nobody is searched after these.
  template <typename Allowed>
  void look_through(Weights weights, bool is_last, Allowed& allowed) {
    weights_ = weights;
    limit_ = best_score_ * weights.heaviest;
    auto look_in = [&](unsigned number, bool is_last_range) {
      if (has_given_up()) return;
      const PlaceRange& range = kPlaceRanges[number];
      const KeyProcess::Arrival first = process_.arrival(range, 0);
      // Most ranges end here: the first arrival comes too late, as -ln(x) >= 1 - x says without the logarithm.
      if (1 - first.uniform() >= limit_ * range.rate) return;
      look_through(range, first, is_last && is_last_range, allowed);
    };
    // In the highest range few may stand: not before there is somebody to compare with.
    const unsigned highest = PlaceRange::number_of(eligible_.members().last());
    if (highest > 0) look_in(highest - 1, false);
    look_in(highest, highest < 2);
    for (unsigned number = highest; number-- > 1;) look_in(number - 1, number == 1);
    best_score_ = limit_ / weights.heaviest;
  }

  // `is_last`: when the best of it was, does not matter any more.
  template <typename Allowed>
  void look_through(const PlaceRange& range, KeyProcess::Arrival arrival, bool is_last, Allowed& allowed) {
    // Times are sums of -ln(uniform) x mean gap. As long as nobody is met, the product of the uniforms, which needs no
    // logarithm, says enough: whether the limit has passed, for certain.
    double product_min = product_at_limit(range);
    double product = arrival.uniform();
    for (uint32_t i = 1;; ++i) {
      if (product <= product_min) return;
      const config::Slot place = arrival.place(range);
      const uint32_t weight = eligible_.weight_at(place, default_weight_);
      if (weights_.has(weight)) {
        const bool may_be_better_later = weight < weights_.heaviest;
        if (is_last && !has_best_ && !may_be_better_later) {
          if (is_allowed(place, allowed)) return set_best(place);
        } else if (take(place, weight, -std::log(product) * range.mean_gap, allowed)) {
          if (!may_be_better_later) return;
          product_min = product_at_limit(range);
        }
      }
      if (i == kArrivalsMax) break;
      arrival = process_.arrival(range, i);
      product *= arrival.uniform();
    }
    look_at_each(range, -std::log(product) * range.mean_gap, allowed);
  }

  template <typename Allowed>
  void look_at_each(const PlaceRange& range, double since, Allowed& allowed) {
    if (since >= limit_) return;
    eligible_.classes().for_each([&](uint16_t weight_class, const base::SlotSet& slots) {
      const uint32_t weight = weight_of(weight_class, default_weight_);
      if (!weights_.has(weight)) return;
      config::Slot slot = range.first;
      while (slots.next_from(slot, slot) && slot - range.first < range.size) {
        if (has_given_up()) return;
        const double uniform = process_.uniform_of(slot);
        if (since + 1 - uniform < limit_) take(slot, weight, since - std::log(uniform), allowed);
        ++slot;
      }
    });
  }

  template <typename Allowed>
  bool is_allowed(config::Slot slot, Allowed& allowed) {
    if (allowed(slot)) return true;
    --refusals_left_;
    return false;
  }
  // Where it is better than the best, and allowed. A lighter one counts as if it had come later among the heaviest.
  template <typename Allowed>
  bool take(config::Slot slot, uint32_t weight, double time, Allowed& allowed) {
    time *= static_cast<double>(weights_.heaviest) / weight;
    if (time >= limit_ || !is_allowed(slot, allowed)) return false;
    set_best(slot);
    limit_ = time;
    return true;
  }
  void set_best(config::Slot slot) {
    best_ = slot;
    has_best_ = true;
  }
  double product_at_limit(const PlaceRange& range) const {
    const double budget = limit_ * range.rate;
    if (budget >= 4) return budget < kBudgetMax ? std::exp(-budget) : 0;
    // (1 - x / n)^n <= e^-x, and near enough.
    double power = 1 - budget / 8;
    for (int i = 0; i < 3; ++i) power *= power;
    return power;
  }

  const config::EligibleServers& eligible_;
  const uint16_t default_weight_;
  const KeyProcess process_;
  bool has_best_ = false;
  config::Slot best_ = 0;
  // The best one's time / weight, of those that were searched before.
  double best_score_ = std::numeric_limits<double>::infinity();
  // Who is searched, and when an arrival at the heaviest is too late to be better.
  Weights weights_;
  double limit_ = 0;
  int refusals_left_ = kRefusalsMax;
};

// Where all servers have one weight and stand close together, most often the first arrival of all ranges is at a place
// where somebody stands, and that is the key's server: nothing can come before it, so nothing else is looked at, and
// numbers alone say where to look. What follows finds that place, or one where nobody stands where it must be searched.

// Of the first range alone, up to `top`. Two at a time: whether the first of them is beyond the top cannot be foreseen.
inline config::Slot first_place_of_few(const KeyProcess& process, config::Slot top) {
  const PlaceRange& range = kPlaceRanges[0];
  for (uint32_t i = 0; i < ConsistentSearch::kArrivalsMax; i += 2) {
    const config::Slot one = process.arrival(range, i).place(range);
    const config::Slot other = process.arrival(range, i + 1).place(range);
    const config::Slot place = base::choose(one <= top, one, other);
    if (place <= top) return place;
  }
  return top + 1;
}

// Of this range and those below it; `prefetch(place)` is told early where most of the time it is.
template <typename Prefetch>
config::Slot first_place(const KeyProcess& process, unsigned highest, config::Slot top, Prefetch&& prefetch) {
  const PlaceRange& highest_range = kPlaceRanges[highest];
  KeyProcess::Arrival arrival = process.arrival(highest_range, 0);
  double least = std::numeric_limits<double>::infinity();
  config::Slot place = 0;
  auto take = [&](const PlaceRange& range, double product, config::Slot at) {
    const double time = -std::log(product) * range.mean_gap;
    if (time >= least) return;
    least = time;
    place = at;
  };
  // Beyond the last one nobody stands.
  const config::Slot likely = arrival.place(highest_range);
  const bool is_taken = likely <= top;
  if (is_taken) {
    prefetch(likely);
    take(highest_range, arrival.uniform(), likely);
  }
  for (unsigned number = highest; number > 0; --number) {
    const PlaceRange& range = kPlaceRanges[number - 1];
    const KeyProcess::Arrival first = process.arrival(range, 0);
    // -ln(x) >= 1 - x, without the logarithm.
    if (1 - first.uniform() < least * range.rate) take(range, first.uniform(), first.place(range));
  }
  double product = arrival.uniform();
  for (uint32_t i = 1; !is_taken && 1 - product < least * highest_range.rate; ++i) {
    if (i == ConsistentSearch::kArrivalsMax) return top + 1;
    arrival = process.arrival(highest_range, i);
    product *= arrival.uniform();
    const config::Slot at = arrival.place(highest_range);
    if (at > top) continue;
    take(highest_range, product, at);
    break;
  }
  return place;
}

// Null where it must be searched.
template <typename Allowed>
const config::Server* find_first_arrival(const config::EligibleServers::Members& servers, uint64_t key,
                                         Allowed& allowed) {
  if (servers.empty()) return nullptr;
  const config::Slot top = servers.last();
  const KeyProcess process(key);
  const unsigned highest = PlaceRange::number_of(top);
  const config::Slot place =
      highest == 0 ? first_place_of_few(process, top)
                   : first_place(process, highest, top, [&](config::Slot likely) { servers.prefetch(likely); });
  const auto* server = servers.find(place);
  return server && allowed(**server) ? server->get() : nullptr;
}

// The key's server; where that one is not allowed, the one that it would have without it, and so on. Null where none is
// allowed, or too many were not.
template <typename Allowed>
const config::Server* pick_consistent(const config::EligibleServers& eligible, uint16_t default_weight, uint64_t key,
                                      Allowed&& allowed) {
  if (!has_weight(eligible, default_weight)) return nullptr;
  auto find = [&](auto&& is_allowed) -> const config::Server* {
    config::Slot slot = 0;
    const bool is_found = ConsistentSearch(eligible, default_weight, key).find(slot, is_allowed);
    return is_found ? eligible.find(slot)->get() : nullptr;
  };
  // Most often the first one is: then no other's record is read.
  if (eligible.are_equal(default_weight)) {
    if (const config::Server* server = find_first_arrival(eligible.members(), key, allowed)) return server;
  } else if (const config::Server* server = find([](config::Slot) { return true; }); allowed(*server)) {
    return server;
  }
  return find([&](config::Slot slot) { return allowed(**eligible.find(slot)); });
}

}  // namespace fairlead::balancing
