#include "balance/measure.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "balancing/balancer.h"
#include "balancing/peak_ewma.h"
#include "balancing/prequal.h"
#include "base/check.h"

namespace fairlead::balance {
namespace {

// A machine may run at a tenth of its speed for tens of milliseconds: a median is taken over much longer than that.
constexpr double kLengthNs = 6e8;
constexpr int kPicksPerBatch = 20'000;
// Some tables are made anew for each change: no more is spent on these than so much, but for a few.
constexpr double kSlowChangesNs = 5e9;
constexpr int kChangesMin = 301;
constexpr int kSlowChangesMin = 3;

int64_t processor_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

template <typename F>
double time_ns(F&& f) {
  int64_t before = processor_ns();
  f();
  return static_cast<double>(processor_ns() - before);
}

double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// What a worker knows of servers, in tables by slot, as far as the algorithm goes by it.
struct Loads {
  explicit Loads(const Backend& backend) : in_flight(backend.servers()) {
    const config::Algorithm algorithm = backend.snapshot().settings->effective_algorithm();
    if (algorithm == config::Algorithm::kPeakEwma) averages.resize(backend.servers());
    if (algorithm == config::Algorithm::kPrequal) records.resize(backend.servers());
    auto latency_of = [](size_t slot) { return std::chrono::milliseconds(5 + slot % 7); };
    for (size_t i = 0; i < averages.size(); ++i) averages[i].observe(latency_of(i), time, kDecay);
    for (size_t i = 0; i < records.size(); ++i) records[i].observe(latency_of(i), 1, time);
  }
  uint32_t operator()(const config::Server& server) const { return in_flight[server.slot]; }
  uint32_t at(config::Slot slot, const config::Server&) const { return in_flight[slot]; }
  void prefetch(config::Slot slot) const {
    __builtin_prefetch(&in_flight[slot]);
    if (!averages.empty()) __builtin_prefetch(&averages[slot]);
    if (!records.empty()) __builtin_prefetch(&records[slot]);
  }
  config::Duration now() const { return time; }
  balancing::Log2 ewma_cost(config::Slot slot, const config::Server&) const {
    return averages[slot].cost(in_flight[slot], time, kDecay);
  }
  balancing::Probe probe(config::Slot slot, const config::Server&) {
    return {
        .in_flight = in_flight[slot], .latency = records[slot].estimate(in_flight[slot], time), .is_overloaded = false};
  }

  static constexpr config::Duration kDecay = std::chrono::seconds(10);
  config::Duration time = std::chrono::seconds(1);
  std::vector<uint32_t> in_flight;
  std::vector<balancing::PeakEwma> averages;
  std::vector<balancing::LatencyRecord> records;
};

}  // namespace

PickTime pick_ns(const Backend& backend) {
  Loads loads(backend);
  base::Random random(1);
  balancing::Balancer balancer;
  const config::BackendSnapshot& snapshot = backend.snapshot();
  uint64_t number = 0;
  // Where picks went is looked at, so that no pick is left out; it costs a nanosecond.
  uintptr_t seen = 0;
  auto pick = [&] {
    loads.time += std::chrono::microseconds(10);
    // For algorithms without a key it means nothing.
    balancing::Key key = base::split_mix(number += base::kSplitMixStep);
    seen ^= reinterpret_cast<uintptr_t>(balancer.pick(snapshot, random, loads, {}, key));
  };
  std::vector<double> picking;
  std::vector<double> looking;
  std::function<void()> batch = [&] {
    auto picks = [&] {
      for (int i = 0; i < kPicksPerBatch; ++i) pick();
    };
    picking.push_back(time_ns(picks) / kPicksPerBatch);
  };
  // Where a pick is followed by a look around, each of them is timed by itself, less what telling the time takes.
  auto each_by_itself = [&] {
    std::chrono::nanoseconds picks{};
    std::chrono::nanoseconds looks{};
    std::chrono::nanoseconds nothing{};
    for (int i = 0; i < kPicksPerBatch; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      pick();
      const auto picked = std::chrono::steady_clock::now();
      balancer.look_around(snapshot, random, loads);
      const auto looked = std::chrono::steady_clock::now();
      nothing += std::chrono::steady_clock::now() - looked;
      picks += picked - begin;
      looks += looked - picked;
    }
    picking.push_back(static_cast<double>((picks - nothing).count()) / kPicksPerBatch);
    looking.push_back(static_cast<double>((looks - nothing).count()) / kPicksPerBatch);
  };
  if (snapshot.settings->effective_algorithm() == config::Algorithm::kPrequal) batch = each_by_itself;
  batch();  // warms up
  picking.clear();
  looking.clear();
  for (const int64_t begin = processor_ns(); static_cast<double>(processor_ns() - begin) < kLengthNs;) batch();
  FAIRLEAD_CHECK(seen != 1);
  PickTime time;
  if (!looking.empty()) time.look = median(std::move(looking));
  time.pick = median(std::move(picking));
  return time;
}

double change_us(Backend& backend) {
  base::Random random(2);
  std::vector<double> changes;
  double spent_ns = 0;
  auto change = [&](auto&& f) {
    double took = time_ns(f);
    changes.push_back(took / 1000);
    spent_ns += took;
  };
  auto is_enough = [&](int count) {
    return count >= kSlowChangesMin && (spent_ns > kSlowChangesNs || (count >= kChangesMin && spent_ns > kLengthNs));
  };
  for (int i = 0; !is_enough(i); ++i) {
    auto number = static_cast<uint32_t>(random.below(backend.servers()));
    change([&] { backend.remove(number); });
    backend.forget_removed();
    change([&] { backend.add(number); });
  }
  return median(std::move(changes));
}

}  // namespace fairlead::balance
