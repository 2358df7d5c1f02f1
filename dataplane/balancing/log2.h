// Numbers by their logarithm: products are sums, and what decays exponentially falls in a straight line.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace fairlead::balancing {

// What is less where its logarithm is.
struct Log2 {
  double value;
};

// Of the numbers below 257.
extern const std::array<double, 257> kLog2;

inline double log2_of(uint64_t number) {
  return number < kLog2.size() ? kLog2[number] : std::log2(static_cast<double>(number));
}

}  // namespace fairlead::balancing
