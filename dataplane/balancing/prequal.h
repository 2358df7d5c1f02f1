// Prequal: of the servers in a pool of probes, the fastest of those that are not hot; of hot ones the one with fewest
// in flight.
//
// B. Wydrowski, R. Kleinberg, S. Rumble, A. Archer, "Load is not what you should balance: introducing Prequal" (NSDI
// 2024). There, clients ask servers over the network. Here a probe is a look at what the worker has measured of a
// server by passing its requests and responses on, and at what the server said of itself in a response (load_report.h):
// it costs no message and nothing waits for it. The rest is the paper's: some servers drawn at random are looked at for
// each request; probes are used again, each time with one more in flight; they leave when they are old, have been used
// often enough, or, one for each request, are the oldest or the worst in turn; hot is who has more in flight than most.
//
// Of one worker: a ProbePool for a backend, a LatencyRecord for a server. One thread; time is a parameter, counted from
// any fixed moment. No allocation.
#pragma once

#include <array>
#include <cstdint>

#include "balancing/random.h"
#include "balancing/shares.h"
#include "base/random.h"
#include "config/snapshot.h"

namespace fairlead::balancing {

// Of a server: its last responses, and how busy it was when their requests came.
class alignas(64) LatencyRecord {
 public:
  // Older responses say nothing any more. A server that was slow once is tried again after so long.
  static constexpr config::Duration kMaxAge = std::chrono::seconds(10);

  // `in_flight`: with the request itself, when it was sent.
  void observe(config::Duration latency, uint32_t in_flight, config::Duration now);
  // The median of those with a number in flight that is nearest to this; 0 where nothing is known.
  config::Duration estimate(uint32_t in_flight, config::Duration now);

 private:
  static constexpr size_t kKept = 16;
  // How many of these an estimate goes by.
  static constexpr size_t kNearest = 5;

  struct Response {
    config::Duration time{};
    uint32_t latency_us = 0;
    uint32_t in_flight = 0;
  };

  // The last estimate, which holds until the next response or this moment: a server that is looked at again and again
  // costs one look into memory.
  config::Duration estimate_until_ = config::Duration::min();
  config::Duration estimate_{};
  uint32_t estimate_in_flight_ = 0;
  uint32_t count_ = 0;
  std::array<Response, kKept> responses_;
};

// What a look at a server gives.
struct Probe {
  uint32_t in_flight = 0;
  // 0: nothing is known.
  config::Duration latency{};
  // It says that it can take no more.
  bool is_overloaded = false;
};

class ProbePool {
 public:
  // `look(server)`, or look.at(slot, server), gives a Probe. `allowed(server)`: whether it may take the request. Null
  // where the pool has none that may: then a server drawn by weight is as good as any.
  template <typename Look, typename Allowed>
  const config::Server* pick(const config::EligibleServers& eligible, uint16_t default_weight,
                             const config::PrequalSettings& settings, config::Duration now, base::Random& random,
                             Look&& look, Allowed&& allowed) {
    drop_old(now - settings.effective_probe_age());
    std::array<Draw, kProbesMax> draws;
    const uint32_t probes = settings.effective_probes();
    for (uint32_t i = 0; i < probes; ++i) {
      draws[i] = draw_by_weight(eligible, default_weight, {}, random);
      if (draws[i].empty()) return nullptr;
      fetch(draws[i], look);
      __builtin_prefetch(&draws[i].server->metadata);
    }
    for (uint32_t i = 0; i < probes; ++i) {
      add(draws[i], eligible.classes()[draws[i].class_index].weight_class,
          load_at(look, draws[i].slot, *draws[i].server), now, settings.effective_pool_size());
    }
    uint32_t threshold = hot_threshold(settings.effective_hot_percent());
    while (size_ >= kLeast) {
      size_t best = find_best(threshold);
      const config::Server* server = find(eligible, default_weight, best);
      if (!server || !allowed(*server)) {
        remove(best);
        continue;
      }
      use(best, eligible.size(), settings);
      remove_one(threshold);
      return server;
    }
    return nullptr;
  }

  size_t size() const { return size_; }

 private:
  // The paper's: with fewer there is no choice.
  static constexpr size_t kLeast = 2;
  static constexpr size_t kMost = 64;
  static constexpr size_t kProbesMax = 16;
  static constexpr size_t kSeen = 128;
  // More than that in flight are counted as so many.
  static constexpr uint32_t kInFlightMax = 255;

  struct Entry {
    config::Uid uid;
    uint16_t weight_class;
    uint16_t uses;
    uint32_t weight;
    Probe probe;
  };

  void drop_old(config::Duration oldest);
  void add(const Draw& draw, uint16_t weight_class, const Probe& probe, config::Duration now, uint32_t pool_size);
  // Again, when its probe has changed.
  void score(size_t index);
  void note_in_flight(uint32_t in_flight);
  uint32_t hot_threshold(uint32_t percent) const;
  // The less the better.
  uint64_t order_of(size_t index, uint32_t threshold) const {
    return busy_[index] > threshold ? if_hot_[index] : if_cold_[index];
  }
  size_t find_best(uint32_t threshold) const;
  size_t find_worst(uint32_t threshold) const;
  size_t find_oldest() const;
  // Where it is still to be picked.
  const config::Server* find(const config::EligibleServers& eligible, uint16_t default_weight, size_t index) const;
  void use(size_t index, uint64_t servers, const config::PrequalSettings& settings);
  void remove_one(uint32_t threshold);
  void remove(size_t index);

  std::array<Entry, kMost> entries_;
  // Of the entries, apart from them: what all of them are searched for with each pick.
  std::array<config::Slot, kMost> slots_;
  std::array<config::Duration, kMost> times_;
  // In flight; more than any threshold where the server says that it can take no more.
  std::array<uint64_t, kMost> busy_;
  // In what order they are among hot ones, which all come behind the others, and among those.
  std::array<uint64_t, kMost> if_hot_;
  std::array<uint64_t, kMost> if_cold_;
  size_t size_ = 0;
  bool worst_goes_next_ = false;
  // How much those that were looked at last had in flight: a ring, and how often each number stands in it.
  std::array<uint8_t, kSeen> seen_{};
  uint32_t seen_count_ = 0;
  std::array<uint8_t, kInFlightMax + 1> seen_times_{};
};

}  // namespace fairlead::balancing
