// Limits of servers that grow with the load of their backend.
#include "config/snapshot.h"
#include "gtest/gtest.h"

namespace fairlead::config {
namespace {

Backend ramp(std::optional<uint32_t> min, std::optional<uint32_t> full) {
  Backend backend;
  backend.min_connections = min;
  backend.full_connections = full;
  return backend;
}

// Of a server that says nothing itself.
uint32_t limit(const Backend& backend, uint32_t most, uint64_t load) {
  return backend.ramped(backend.min_connections_of(Server()), most, load);
}

TEST(Ramp, GoesFromTheLeastToTheWholeLimit) {
  const Backend backend = ramp(5, 100);
  EXPECT_EQ(limit(backend, 50, 0), 5u);
  EXPECT_EQ(limit(backend, 50, 10), 5u);
  EXPECT_EQ(limit(backend, 50, 11), 5u) << "rounded down";
  EXPECT_EQ(limit(backend, 50, 12), 6u);
  EXPECT_EQ(limit(backend, 50, 99), 49u);
  EXPECT_EQ(limit(backend, 50, 100), 50u);
  EXPECT_EQ(limit(backend, 50, 1'000'000'000'000), 50u);
}

TEST(Ramp, TheWholeLimitIsTheMostWhateverTheLeastIs) {
  EXPECT_EQ(limit(ramp(80, 100), 50, 1), 50u);
  EXPECT_EQ(limit(ramp(80, 100), 0, 1), 0u) << "no limit stays none";
}

TEST(Ramp, NeedsBoth) {
  for (const Backend& backend : {ramp({}, 100), ramp(5, {}), ramp(0, 100), ramp(5, 0)}) {
    EXPECT_FALSE(backend.has_ramp());
    EXPECT_EQ(limit(backend, 50, 1), 50u);
  }
}

TEST(Ramp, AServersOwnLeastStandsInPlaceOfTheDefault) {
  auto extras = base::make_ref<ServerExtras>();
  extras->min_connections = 20;
  Server server;
  server.extras = base::Ref<const ServerExtras>(extras);
  for (const Backend& backend : {ramp(5, 100), ramp({}, 100)}) {
    EXPECT_EQ(backend.ramped(backend.min_connections_of(server), 50, 1), 20u);
  }
  extras->min_connections = 0;
  EXPECT_EQ(ramp(5, 100).ramped(ramp(5, 100).min_connections_of(server), 50, 1), 50u);
}

TEST(Ramp, IsCountedWhereSomebodyHasOne) {
  EXPECT_TRUE(has_to_count_total(ramp(5, 100), {}));
  EXPECT_FALSE(has_to_count_total(ramp({}, 100), {}));
  EXPECT_TRUE(has_to_count_total(ramp({}, 100), {.ramped = 1}));
  EXPECT_TRUE(has_to_count(ramp({}, 100), {.ramped = 1}));
  EXPECT_FALSE(has_to_count_total(ramp({}, {}), {.limited = 1, .ramped = 1}));
}

}  // namespace
}  // namespace fairlead::config
