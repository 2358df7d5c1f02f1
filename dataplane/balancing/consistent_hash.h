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
// Times do not depend on weights. Servers whose weights are near each other are searched together, by arrivals at the
// heaviest of them: the search goes on behind a lighter one for as long as a heavier one would still be before it. So
// there are ten searches at most, however many weights are in use. Pure.
#pragma once

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

// The search for one key's server, class by class.
class ConsistentSearch {
 public:
  static constexpr uint32_t kArrivalsMax = 128;
  // How often a server that is not allowed is met before the search ends with what it has: where nearly all are full, a
  // request is not kept waiting for the last one among a million that is not. A thousand servers are never too many.
  static constexpr int kRefusalsMax = 4096;

  explicit ConsistentSearch(uint64_t key) : process_(key) {}

  const config::Server* best() const { return best_; }
  bool has_given_up() const { return refusals_left_ <= 0; }

  // Servers that weigh so much, or those of a level: at most `heaviest`, and more than half of it. `is_last`: nobody is
  // searched after these.
  template <typename Allowed>
  void look_through(const config::EligibleServers::Class& servers, uint32_t heaviest, bool is_last, Allowed& allowed) {
    if (servers.empty()) return;
    const config::Slot top = servers.last();
    heaviest_ = heaviest;
    limit_ = best_score_ * heaviest;
    auto look_in = [&](unsigned number, bool is_last_range) {
      if (has_given_up()) return;
      const PlaceRange& range = kPlaceRanges[number];
      const KeyProcess::Arrival first = process_.arrival(range, 0);
      // Most ranges end here: the first arrival comes too late, as -ln(x) >= 1 - x says without the logarithm.
      if (1 - first.uniform() >= limit_ * range.rate) return;
      look_through(range, first, is_last && is_last_range, servers, allowed);
    };
    // In the highest range few may stand: not before there is somebody to compare with.
    const unsigned highest = PlaceRange::number_of(top);
    if (highest > 0) look_in(highest - 1, false);
    look_in(highest, highest < 2);
    for (unsigned number = highest; number-- > 1;) look_in(number - 1, number == 1);
    best_score_ = limit_ / heaviest;
  }

 private:
  // `is_last`: when the best of it was, does not matter any more.
  template <typename Allowed>
  void look_through(const PlaceRange& range, KeyProcess::Arrival arrival, bool is_last,
                    const config::EligibleServers::Class& servers, Allowed& allowed) {
    // Times are sums of -ln(uniform) x mean gap. As long as nobody is met, the product of the uniforms, which needs no
    // logarithm, says enough: whether the limit has passed, for certain.
    double product_min = product_at_limit(range);
    double product = arrival.uniform();
    for (uint32_t i = 1;; ++i) {
      if (product <= product_min) return;
      const auto* server = servers.find(arrival.place(range));
      if (server && is_allowed(**server, allowed)) {
        const bool may_be_better_later = weight_of(**server) < heaviest_;
        if (is_last && !best_ && !may_be_better_later) return void(best_ = server->get());
        take(**server, -std::log(product) * range.mean_gap);
        if (!may_be_better_later) return;
        product_min = product_at_limit(range);
      }
      if (i == kArrivalsMax) break;
      arrival = process_.arrival(range, i);
      product *= arrival.uniform();
    }
    look_at_each(range, -std::log(product) * range.mean_gap, servers, allowed);
  }

  template <typename Allowed>
  void look_at_each(const PlaceRange& range, double since, const config::EligibleServers::Class& servers,
                    Allowed& allowed) {
    if (since >= limit_) return;
    config::Slot slot = range.first;
    while (const auto* server = servers.next_from(slot, slot)) {
      if (slot - range.first >= range.size || has_given_up()) return;
      double uniform = process_.uniform_of(slot);
      ++slot;
      if (since + 1 - uniform >= limit_) continue;
      double time = since - std::log(uniform);
      if (time < limit_ && is_allowed(**server, allowed)) take(**server, time);
    }
  }

  template <typename Allowed>
  bool is_allowed(const config::Server& server, Allowed& allowed) {
    if (allowed(server)) return true;
    --refusals_left_;
    return false;
  }
  // Of those without a weight there is one for all.
  uint32_t weight_of(const config::Server& server) const { return server.weight.value_or(heaviest_); }
  // A lighter one counts as if it had come later among the heaviest.
  void take(const config::Server& server, double time) {
    time *= static_cast<double>(heaviest_) / weight_of(server);
    if (time >= limit_) return;
    best_ = &server;
    limit_ = time;
  }
  double product_at_limit(const PlaceRange& range) const {
    const double budget = limit_ * range.rate;
    return budget < 1 ? 1 - budget : budget < kBudgetMax ? std::exp(-budget) : 0;
  }

  // Where e^-x is nothing.
  static constexpr double kBudgetMax = 700;

  const KeyProcess process_;
  const config::Server* best_ = nullptr;
  // The best one's time / weight, of those that were searched before.
  double best_score_ = std::numeric_limits<double>::infinity();
  // Of those that are searched: the heaviest weight, and when an arrival there is too late to be better.
  uint32_t heaviest_ = 1;
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
const config::Server* find_first_arrival(const config::EligibleServers::Class& servers, uint64_t key,
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
// allowed, or too many were not. Requires that levels are kept of `eligible`.
template <typename Allowed>
const config::Server* pick_consistent(const config::EligibleServers& eligible, uint16_t default_weight, uint64_t key,
                                      Allowed&& allowed) {
  const auto& classes = eligible.classes();
  if (classes.size() == 1 && weight_of(classes.front(), default_weight) > 0) {
    const config::Server* server = find_first_arrival(classes.front().servers, key, allowed);
    if (server) return server;
  }
  if (classes.empty()) return nullptr;
  struct Group {
    const config::EligibleServers::Class* servers = nullptr;
    uint32_t heaviest = 0;
    uint64_t most() const { return uint64_t{heaviest} * servers->size(); }
  };
  std::array<Group, config::EligibleServers::kLevels + 1> groups;
  size_t count = 0;
  auto add = [&](const config::EligibleServers::Class& servers, uint32_t heaviest) {
    if (servers.empty() || heaviest == 0) return;
    groups[count] = {&servers, heaviest};
    // Who is most likely to have the key's server goes first: the others then end early.
    if (groups[count].most() > groups[0].most()) std::swap(groups[count], groups[0]);
    ++count;
  };
  const auto& lightest = classes.front();
  if (lightest.weight_class == config::EligibleServers::kDefaultClass) add(lightest.servers, default_weight);
  for (const auto& level : eligible.levels()) add(level.servers, level.heaviest);
  ConsistentSearch search(key);
  for (size_t i = 0; i < count && !search.has_given_up(); ++i) {
    search.look_through(*groups[i].servers, groups[i].heaviest, i + 1 == count, allowed);
  }
  return search.best();
}

}  // namespace fairlead::balancing
