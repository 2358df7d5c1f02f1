// What a pick costs a worker, and a change of the members the store, at ten servers and at a million.
#include <benchmark/benchmark.h>

#include <vector>

#include "balancing/balancer.h"
#include "balancing/peak_ewma.h"
#include "balancing/prequal.h"

namespace fairlead::balancing {
namespace {

using config::Algorithm;

base::Ref<const config::Server> make_server(config::Slot slot, uint64_t classes) {
  auto server = base::make_ref<config::Server>();
  server->metadata.uid = slot + 1;
  server->slot = slot;
  if (uint64_t weight = slot % classes; weight > 0) server->weight = static_cast<uint16_t>(weight * 10);
  return server;
}

base::Ref<config::BackendSnapshot> make_backend(Algorithm algorithm, int64_t servers, int64_t classes) {
  auto settings = base::make_ref<config::Backend>();
  settings->algorithm = algorithm;
  auto backend = base::make_ref<config::BackendSnapshot>();
  backend->settings = settings;
  for (int64_t slot = 0; slot < servers; ++slot) {
    if (slot == 0) backend->eligible.keep_by_age(config::goes_by_age(algorithm));
    backend->eligible.upsert(nullptr, make_server(static_cast<config::Slot>(slot), static_cast<uint64_t>(classes)));
  }
  return backend;
}

// What a worker knows of servers, in tables by slot.
struct Loads {
  explicit Loads(size_t servers) : in_flight(servers), ewma(servers), records(servers) {
    for (size_t i = 0; i < servers; ++i) {
      ewma[i].observe(std::chrono::milliseconds(5 + i % 7), time, std::chrono::seconds(10));
      records[i].observe(std::chrono::milliseconds(5 + i % 7), 1, time);
    }
  }
  uint32_t operator()(const config::Server& server) const { return in_flight[server.slot]; }
  config::Duration now() const { return time; }
  double ewma_cost(config::Slot slot, const config::Server&) const {
    return ewma[slot].cost(in_flight[slot], time, std::chrono::seconds(10));
  }
  Probe probe(config::Slot slot, const config::Server&) {
    return {in_flight[slot], records[slot].estimate(in_flight[slot], time), false};
  }

  std::vector<uint32_t> in_flight;
  std::vector<PeakEwma> ewma;
  std::vector<LatencyRecord> records;
  config::Duration time = std::chrono::seconds(100);
};

void pick_by_latency(benchmark::State& state, Algorithm algorithm) {
  auto backend = make_backend(algorithm, state.range(0), state.range(1));
  Loads loads(static_cast<size_t>(state.range(0)));
  base::Random random(1);
  Balancer balancer;
  for (auto _ : state) {
    loads.time += std::chrono::microseconds(10);
    benchmark::DoNotOptimize(balancer.pick(*backend, random, loads));
  }
}
BENCHMARK_CAPTURE(pick_by_latency, peak_ewma, Algorithm::kPeakEwma)->ArgsProduct({{10, 1'000'000}, {1, 3}});
BENCHMARK_CAPTURE(pick_by_latency, prequal, Algorithm::kPrequal)->ArgsProduct({{10, 1'000'000}, {1, 3}});

void pick(benchmark::State& state, Algorithm algorithm) {
  auto backend = make_backend(algorithm, state.range(0), state.range(1));
  // As a worker does: in a table by slot.
  std::vector<uint32_t> in_flight(static_cast<size_t>(state.range(0)));
  auto load_of = [&in_flight](const config::Server& server) { return in_flight[server.slot]; };
  base::Random random(1);
  Balancer balancer;
  for (auto _ : state) benchmark::DoNotOptimize(balancer.pick(*backend, random, load_of));
}
BENCHMARK_CAPTURE(pick, round_robin, Algorithm::kRoundRobin)->ArgsProduct({{10, 1'000'000}, {1, 3}});
BENCHMARK_CAPTURE(pick, random, Algorithm::kRandom)->ArgsProduct({{10, 1'000'000}, {1, 3}});
BENCHMARK_CAPTURE(pick, static_round_robin, Algorithm::kStaticRoundRobin)->ArgsProduct({{10, 1'000'000}, {1, 3}});
BENCHMARK_CAPTURE(pick, least_connections, Algorithm::kLeastConnections)->ArgsProduct({{10, 64, 1'000'000}, {1, 3}});
BENCHMARK_CAPTURE(pick, first, Algorithm::kFirst)->ArgsProduct({{10, 1'000'000}, {1, 3}});
BENCHMARK_CAPTURE(pick, sticky, Algorithm::kSticky)->ArgsProduct({{10, 1'000'000}, {1, 3}});

// A member goes and comes back, each time in a new version of the backend, while the former is still in use.
void change(benchmark::State& state, Algorithm algorithm) {
  auto backend = make_backend(algorithm, state.range(0), 1);
  base::Random random(1);
  for (auto _ : state) {
    auto slot = static_cast<config::Slot>(random.below(static_cast<uint64_t>(state.range(0))));
    auto server = make_server(slot, 1);
    auto without = base::make_ref<config::BackendSnapshot>(*backend);
    without->eligible.erase(*server);
    auto with = base::make_ref<config::BackendSnapshot>(*without);
    with->eligible.upsert(nullptr, server);
    backend = with;
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK_CAPTURE(change, round_robin, Algorithm::kRoundRobin)->Arg(10)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(change, first, Algorithm::kFirst)->Arg(10)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fairlead::balancing
