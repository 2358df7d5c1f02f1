// Prequal: of the servers in a pool of probes, the fastest of those that are not hot; of hot ones the one with fewest
// in flight.
//
// B. Wydrowski, R. Kleinberg, S. Rumble, A. Archer, "Load is not what you should balance: introducing Prequal" (NSDI
// 2024). There, clients ask servers over the network. Here a probe is a look at what the worker has measured of a
// server by passing its requests and responses on, and at what the server said of itself in a response (load_report.h):
// it costs no message. As there nothing waits for it: a pick goes by the probes that are in the pool, and servers are
// looked at when its request is on its way. The rest is the paper's: some servers drawn at random are looked at for
// each request; probes are used again, each time with one more in flight; they leave when they are old, have been used
// often enough, or, one for each request, are the oldest or the worst in turn; hot is who has more in flight than most.
//
// Of one worker: a ProbePool for a backend, a LatencyRecord for a server. One thread; time is a parameter, counted from
// any fixed moment. No allocation.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

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
  // By the probes in the pool; where these are too few, it looks around first. `allowed(server)`: whether it may take
  // the request. Null where the pool has none that may: then a server drawn by weight is as good as any.
  template <typename Look, typename Allowed>
  const config::Server* pick(const config::EligibleServers& eligible, uint16_t default_weight,
                             const config::PrequalSettings& settings, config::Duration now, base::Random& random,
                             Look&& look, Allowed&& allowed) {
    const config::Duration oldest = now - settings.effective_probe_age();
    for (bool has_looked = false;; has_looked = true) {
      while (size_ >= kLeast) {
        const size_t best = best_ < size_ ? std::exchange(best_, kMost) : find_best();
        const config::Server* server = times_[best] < oldest ? nullptr : find(eligible, default_weight, best);
        if (server && allowed(*server)) {
          use(best);
          return server;
        }
        remove(best);
      }
      if (has_looked || !look_around(eligible, default_weight, settings, now, random, look)) return nullptr;
    }
  }

  // For the picks to come; after each pick. `look(server)`, or look.at(slot, server), gives a Probe. False where there
  // is nobody.
  template <typename Look>
  bool look_around(const config::EligibleServers& eligible, uint16_t default_weight,
                   const config::PrequalSettings& settings, config::Duration now, base::Random& random, Look&& look) {
    drop_old(now - settings.effective_probe_age());
    remove_one();
    std::array<Draw, kProbesMax> draws;
    const uint32_t probes = settings.effective_probes();
    for (uint32_t i = 0; i < probes; ++i) {
      draws[i] = draw_by_weight(eligible, default_weight, random.next());
      if (!draws[i].server) return false;
      fetch(draws[i].slot, draws[i].server, look);
      __builtin_prefetch(&draws[i].server->metadata);
    }
    for (uint32_t i = 0; i < probes; ++i) {
      add(draws[i], load_at(look, draws[i].slot, *draws[i].server), now, settings.effective_pool_size());
    }
    put_in_order(eligible.size(), settings);
    return true;
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
    Probe probe;
    double one_by_weight;
    uint32_t uses;
  };

  void drop_old(config::Duration oldest);
  void add(const Draw& draw, const Probe& probe, config::Duration now, uint32_t pool_size);
  void note_in_flight(uint32_t in_flight);
  uint32_t hot_threshold(uint32_t percent) const;
  // All of them, by what has been seen.
  void put_in_order(uint64_t servers, const config::PrequalSettings& settings);
  // The less the better.
  uint64_t order_of(const Entry& entry) const;
  size_t find_best() const;
  size_t find_worst() const;
  size_t find_oldest() const;
  // Where it is still to be picked.
  const config::Server* find(const config::EligibleServers& eligible, uint16_t default_weight, size_t index) const;
  void use(size_t index);
  void remove_one();
  void remove(size_t index);

  std::array<Entry, kMost> entries_;
  // Of the entries, apart from them: what all of them are searched for.
  std::array<uint64_t, kMost> orders_;
  std::array<config::Slot, kMost> slots_;
  std::array<config::Duration, kMost> times_;
  size_t size_ = 0;
  // Found when they were put in order; kMost where it has to be searched for.
  size_t best_ = kMost;
  uint32_t hot_threshold_ = 0;
  uint32_t uses_max_ = 1;
  bool worst_goes_next_ = false;
  // How much those that were looked at last had in flight: a ring, and how often each number stands in it.
  std::array<uint8_t, kSeen> seen_{};
  uint32_t seen_count_ = 0;
  std::array<uint8_t, kInFlightMax + 1> seen_times_{};
};

}  // namespace fairlead::balancing
