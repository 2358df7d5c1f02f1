#include "balancing/peak_ewma.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fairlead::balancing {
namespace {

// e to the power of -x, for x >= 0, within a part of 10^8: 2 to a whole power by the exponent's bits, the rest by its
// series.
double decayed(double x) {
  constexpr double kLog2E = 1.4426950408889634;
  if (x > 700) return 0;
  double power = -x * kLog2E;
  double whole = std::floor(power + 0.5);
  double y = (power - whole) * 0.6931471805599453;
  // In pairs (G. Estrin, 1960), which need not wait for each other.
  double y2 = y * y;
  double low = (1 + y) + y2 * (1.0 / 2 + y * (1.0 / 6));
  double high = (1.0 / 24 + y * (1.0 / 120)) + y2 * (1.0 / 720 + y * (1.0 / 5040));
  double rest = low + y2 * y2 * high;
  auto bits = static_cast<uint64_t>(static_cast<int64_t>(whole) + 1023) << 52;
  return std::bit_cast<double>(bits) * rest;
}

// What is left of the weight of something so old.
double weight_after(config::Duration age, config::Duration decay) {
  if (age <= config::Duration::zero()) return 1;
  return decayed(static_cast<double>(age.count()) / static_cast<double>(decay.count()));
}

}  // namespace

void PeakEwma::observe(config::Duration latency, config::Duration now, config::Duration decay) {
  auto value = static_cast<double>(std::max<int64_t>(latency.count(), 1));
  if (value > latency_) {
    latency_ = value;
  } else {
    double weight = weight_after(now - observed_, decay);
    latency_ = latency_ * weight + value * (1 - weight);
  }
  observed_ = now;
}

double PeakEwma::latency(config::Duration now, config::Duration decay) const {
  return latency_ == 0 ? 0 : latency_ * weight_after(now - observed_, decay);
}

}  // namespace fairlead::balancing
