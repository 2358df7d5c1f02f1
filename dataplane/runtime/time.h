// Time as the loop sees it: monotonic, real or virtual.
#pragma once

#include <chrono>

namespace fairlead::runtime {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

inline constexpr TimePoint kNever = TimePoint::max();

}  // namespace fairlead::runtime
