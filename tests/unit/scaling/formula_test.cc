#include "scaling/formula.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace fairlead::scaling {
namespace {

struct Case {
  const char* name;
  int servers;
  double load;
  Target target;
  int desired;
};

TEST(Formula, Table) {
  const Case cases[] = {
      {"at the target", 4, 40, {10, 0.1}, 4},
      {"double load doubles", 4, 80, {10, 0.1}, 8},
      {"half load halves", 4, 20, {10, 0.1}, 2},
      {"a part of a server is a whole one", 4, 61, {10, 0.1}, 7},
      {"just within the tolerance above", 10, 110, {10, 0.1}, 10},
      {"just beyond it above", 10, 110.1, {10, 0.1}, 12},
      {"just within the tolerance below", 10, 90, {10, 0.1}, 10},
      {"just beyond it below: rounding up keeps it", 10, 89.9, {10, 0.1}, 9},
      {"without tolerance every request counts", 10, 100.5, {10, 0}, 11},
      {"a rounding error is no server", 3, 3 * 0.1 * 10, {1, 0}, 3},
      {"no load", 5, 0, {10, 0.1}, 0},
      {"negative load is none", 5, -3, {10, 0.1}, 0},
      {"no servers, no load", 0, 0, {10, 0.1}, 0},
      {"no servers, queued load", 0, 25, {10, 0.1}, 3},
      {"a fraction as target", 2, 3, {0.5, 0.1}, 6},
      {"absurd load stays a number", 1, 1e300, {1, 0.1}, 1000000000},
  };
  for (const Case& c : cases) EXPECT_EQ(desired_servers(c.servers, c.load, c.target), c.desired) << c.name;
}

TEST(Formula, WhatItDesiresCarriesTheLoadAndNeedsNoSecondStep) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20000; ++i) {
    const Target target{std::uniform_real_distribution(0.5, 50.0)(random), 0.1};
    const int servers = std::uniform_int_distribution(1, 200)(random);
    const double load = std::uniform_real_distribution(0.0, 5000.0)(random);
    const int desired = desired_servers(servers, load, target);
    ASSERT_LE(load / target.in_flight_per_server, desired * 1.1 + 1e-6);
    // Asked again with that many, it is content.
    if (desired > 0) ASSERT_EQ(desired_servers(desired, load, target), desired) << servers << " servers, load " << load;
  }
}

}  // namespace
}  // namespace fairlead::scaling
