#pragma once

#include <chrono>

namespace fairlead::config {

using Duration = std::chrono::nanoseconds;

}  // namespace fairlead::config
