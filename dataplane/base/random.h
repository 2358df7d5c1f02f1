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

// SplitMix64's finalizer: numbers that look random out of numbers that do not.
constexpr uint64_t split_mix(uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}
// What SplitMix64 counts in.
inline constexpr uint64_t kSplitMixStep = 0x9e3779b97f4a7c15;

class Random {
 public:
  using result_type = uint64_t;

  // The same seed gives the same numbers.
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += kSplitMixStep;
      word = split_mix(seed);
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
  uint64_t below(uint64_t bound) { return scaled(next(), bound); }
  // The same of a number that was drawn before.
  static uint64_t scaled(uint64_t number, uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(number) * bound) >> 64);
  }

  // So that it serves the standard library's distributions and shuffle.
  uint64_t operator()() { return next(); }
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace fairlead::base
