// Chance from a seed: the only source of it in a test, so that the seed repeats the run.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "runtime/time.h"

namespace fairlead::test_support {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  // Both ends included.
  uint64_t between(uint64_t least, uint64_t most) { return least + engine_() % (most - least + 1); }
  size_t below(size_t end) { return static_cast<size_t>(engine_() % end); }
  bool chance(double probability) {
    if (probability <= 0) return false;
    return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < probability;
  }
  runtime::Duration between(runtime::Duration least, runtime::Duration most) {
    if (most <= least) return least;
    return runtime::Duration(static_cast<int64_t>(between(0, static_cast<uint64_t>((most - least).count())))) + least;
  }
  uint64_t seed() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace fairlead::test_support
