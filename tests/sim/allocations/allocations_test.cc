// In steady state a proxied request takes nothing from the heap: every operator new in the turns of the worker's loop
// is counted.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <ostream>

#include "runtime/frame_pool.h"
#include "sim_world/http_world.h"
#include "test_support/uncounted.h"

namespace {

bool counting = false;
uint64_t allocations = 0;

[[maybe_unused]] void* allocate(size_t size, size_t alignment) {
  if (counting && !fairlead::test_support::Uncounted::is_active()) ++allocations;
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(size == 0 ? 1 : size)
                     : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) std::abort();
  return memory;
}

}  // namespace

#ifndef FAIRLEAD_SANITIZED
void* operator new(size_t size) { return allocate(size, 1); }
void* operator new[](size_t size) { return allocate(size, 1); }
void* operator new(size_t size, std::align_val_t alignment) { return allocate(size, static_cast<size_t>(alignment)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

namespace fairlead::sim {
namespace {

// Every connection does the same again and again.
std::vector<Plan> repeat(const Plan& plan, uint64_t& last_id, size_t count) {
  std::vector<Plan> plans(count, plan);
  for (Plan& each : plans) each.id = ++last_id;
  return plans;
}

struct Kind {
  const char* name;
  Plan plan;
  // Where the backend has HASH.
  std::string_view hash_key = {};
};

config::Backend hashing(std::string_view key) {
  config::Backend settings;
  settings.timeouts.response = settings.timeouts.idle = std::chrono::hours(2);
  settings.algorithm = config::Algorithm::kHash;
  settings.hash.key_text = key;
  settings.hash.key = *config::parse_hash_key(key);
  return settings;
}

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class Allocations : public testing::TestWithParam<Kind> {};

TEST_P(Allocations, ARequestInSteadyStateTakesNothingFromTheHeap) {
#ifdef FAIRLEAD_SANITIZED
  GTEST_SKIP() << "frames are the heap's own under a sanitizer";
#endif
  constexpr size_t kConnections = 8;
  constexpr size_t kWarmUp = 50;
  constexpr size_t kMeasured = 150;
  HttpWorld w(1, 1, 1);
  if (!GetParam().hash_key.empty()) w.set_backend(hashing(GetParam().hash_key));
  w.open();
  uint64_t last_id = 0;
  for (size_t i = 0; i < kConnections; ++i) w.clients->start(repeat(GetParam().plan, last_id, kWarmUp + kMeasured));
  Worker& worker = *w.world.workers().front();
  worker.host.driver.set_turn_observer([&](bool begins) {
    bool warm = w.clients->answers().size() >= kConnections * kWarmUp;
    bool near_the_end = w.clients->answers().size() >= kConnections * (kWarmUp + kMeasured - 10);
    counting = begins && warm && !near_the_end;
  });
  allocations = 0;
  ASSERT_TRUE(w.world.run_until([&] { return w.clients->answers().size() >= kConnections * kWarmUp; }));
  uint64_t frames = runtime::frames_from_heap();
  w.run_clients();
  w.expect_all_exact();
  EXPECT_EQ(allocations, 0u);
  EXPECT_EQ(runtime::frames_from_heap(), frames);
  EXPECT_EQ(w.world.workers().front()->listeners.statistics().front().accepted, kConnections);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Allocations,
    testing::Values(
        Kind{"Small", {.response_size = 34}}, Kind{"Large", {.response_size = 100'000}},
        Kind{"Chunked", {.response_size = 5'000, .response_framing = Framing::kChunked}},
        Kind{"Upload", {.method = "POST", .request_size = 100'000, .response_size = 34}},
        Kind{"ChunkedUpload",
             {.method = "PUT", .request_size = 5'000, .request_framing = Framing::kChunked, .response_size = 34}},
        Kind{"InterimResponses", {.response_size = 34, .interim_responses = 2}},
        Kind{"Hashed", {.response_size = 34}, "{source}{uri}{query:a}{header:Host}{header:x}{cookie:c}"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace fairlead::sim
