#include "balancing/peak_ewma.h"

#include <algorithm>
#include <cmath>

namespace fairlead::balancing {
namespace {

// What is left of the weight of something so old.
double weight_after(config::Duration age, config::Duration decay) {
  if (age <= config::Duration::zero()) return 1;
  return std::exp(-static_cast<double>(age.count()) / static_cast<double>(decay.count()));
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
