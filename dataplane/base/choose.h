// One of two, without a branch: for a condition that cannot be foreseen, where a wrong guess of the processor's costs
// more than both values.
#pragma once

namespace fairlead::base {

template <typename T>
constexpr T choose(bool condition, T one, T other) {
#if defined(__clang__)
  return __builtin_unpredictable(condition) ? one : other;
#else
  return condition ? one : other;
#endif
}

}  // namespace fairlead::base
