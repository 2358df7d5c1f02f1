#include "scaling/formula.h"

#include <algorithm>
#include <cmath>

namespace fairlead::scaling {
namespace {
// Averages of whole numbers come out as 12.000000000000002; that must not cost a server.
constexpr double kRounding = 1e-9;
// Far above any fleet, far below where an int ends.
constexpr double kMost = 1e9;
}  // namespace

int desired_servers(int servers, double load, const Target& target) {
  const double needed = std::max(0.0, load) / target.in_flight_per_server;
  if (servers > 0 && std::abs(needed / servers - 1) <= target.tolerance + kRounding) return servers;
  return static_cast<int>(std::min(kMost, std::ceil(needed - kRounding)));
}

}  // namespace fairlead::scaling
