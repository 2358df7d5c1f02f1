#include "balancing/peak_ewma.h"

namespace fairlead::balancing {

void PeakEwma::observe(config::Duration latency, config::Duration now, config::Duration decay) {
  const double log2_value = std::log2(static_cast<double>(std::max<int64_t>(latency.count(), 1)));
  if (log2_value > log2_latency_) {
    log2_latency_ = log2_value;
  } else {
    const double value = std::exp2(log2_value);
    log2_latency_ =
        std::log2(value + (std::exp2(log2_latency_) - value) * std::exp2(-log2_decayed(now - observed_, decay)));
  }
  observed_ = now;
}

}  // namespace fairlead::balancing
