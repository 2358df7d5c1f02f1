#include "balance/measure.h"

#include <time.h>

#include <algorithm>
#include <vector>

#include "balancing/balancer.h"
#include "base/check.h"

namespace fairlead::balance {
namespace {

constexpr int kBatches = 31;
constexpr int kPicksPerBatch = 20'000;
constexpr int kChanges = 301;

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

}  // namespace

double pick_ns(const Backend& backend) {
  // As a worker does: in a table by slot.
  std::vector<uint32_t> in_flight(backend.servers());
  auto load_of = [&in_flight](const config::Server& server) { return in_flight[server.slot]; };
  base::Random random(1);
  balancing::Balancer balancer;
  // Where picks went is looked at, so that no pick is left out; it costs a nanosecond.
  uintptr_t seen = 0;
  auto batch = [&] {
    for (int i = 0; i < kPicksPerBatch; ++i) {
      seen ^= reinterpret_cast<uintptr_t>(balancer.pick(backend.snapshot(), random, load_of));
    }
  };
  batch();  // warms up
  std::vector<double> batches;
  for (int i = 0; i < kBatches; ++i) batches.push_back(time_ns(batch) / kPicksPerBatch);
  FAIRLEAD_CHECK(seen != 1);
  return median(std::move(batches));
}

double change_us(Backend& backend) {
  base::Random random(2);
  std::vector<double> changes;
  for (int i = 0; i < kChanges; ++i) {
    auto number = static_cast<uint32_t>(random.below(backend.servers()));
    changes.push_back(time_ns([&] { backend.remove(number); }) / 1000);
    backend.forget_removed();
    changes.push_back(time_ns([&] { backend.add(number); }) / 1000);
  }
  return median(std::move(changes));
}

}  // namespace fairlead::balance
