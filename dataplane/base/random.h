// A small, fast source of random numbers for picks and jitter. Not for secrets.
//
// xoshiro256++ of D. Blackman and S. Vigna ("Scrambled linear pseudorandom number generators", 2018), its state filled
// by SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014). One thread uses
// one.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <limits>

namespace fairlead::base {

class Random {
 public:
  using result_type = uint64_t;

  // The same seed gives the same numbers.
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      uint64_t mixed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
      word = mixed ^ (mixed >> 31);
    }
  }

  uint64_t next() {
    uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // From 0 to `bound` - 1; 0 where `bound` is 0. The high half of a product instead of a remainder (D. Lemire, "Fast
  // random integer generation in an interval", 2019); without the rejection, so off by bound / 2^64 at most.
  uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }

  // So that it serves the standard library's distributions and shuffle.
  uint64_t operator()() { return next(); }
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace fairlead::base
