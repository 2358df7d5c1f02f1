// Limits of servers that grow with the load of their backend.
#include "config/model.h"
#include "gtest/gtest.h"

namespace fairlead::config {
namespace {

Backend ramp(std::optional<uint32_t> min, std::optional<uint32_t> full) {
  Backend backend;
  backend.min_connections = min;
  backend.full_connections = full;
  return backend;
}

TEST(Ramp, GoesFromTheLeastToTheWholeLimit) {
  const Backend backend = ramp(5, 100);
  EXPECT_EQ(backend.ramped(50, 0), 5u);
  EXPECT_EQ(backend.ramped(50, 10), 5u);
  EXPECT_EQ(backend.ramped(50, 11), 5u) << "rounded down";
  EXPECT_EQ(backend.ramped(50, 12), 6u);
  EXPECT_EQ(backend.ramped(50, 99), 49u);
  EXPECT_EQ(backend.ramped(50, 100), 50u);
  EXPECT_EQ(backend.ramped(50, 1'000'000'000'000), 50u);
}

TEST(Ramp, TheWholeLimitIsTheMostWhateverTheLeastIs) {
  EXPECT_EQ(ramp(80, 100).ramped(50, 1), 50u);
  EXPECT_EQ(ramp(80, 100).ramped(0, 1), 0u) << "no limit stays none";
}

TEST(Ramp, NeedsBoth) {
  for (const Backend& backend : {ramp({}, 100), ramp(5, {}), ramp(0, 100), ramp(5, 0)}) {
    EXPECT_FALSE(backend.has_ramp());
    EXPECT_EQ(backend.ramped(50, 1), 50u);
  }
}

}  // namespace
}  // namespace fairlead::config
