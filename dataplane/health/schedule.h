// When a server is checked next. Pure.
#pragma once

#include "base/random.h"
#include "config/health_check.h"
#include "health/thresholds.h"
#include "runtime/time.h"

namespace fairlead::health {

inline runtime::Duration interval_of(const Thresholds& thresholds, const config::HealthCheck& settings) {
  if (thresholds.is_changing()) return settings.effective_fast_interval();
  switch (thresholds.state()) {
    case Thresholds::State::kPending:
    case Thresholds::State::kPresumed:
      return settings.effective_fast_interval();
    case Thresholds::State::kDown:
      return settings.effective_down_interval();
    case Thresholds::State::kUp:
      break;
  }
  return settings.effective_interval();
}

// Somewhere in all of it: what began together is spread.
inline runtime::Duration spread(runtime::Duration interval, base::Random& random) {
  return runtime::Duration(static_cast<int64_t>(random.below(static_cast<uint64_t>(interval.count()))) + 1);
}

// In the upper tenth of it: what is spread does not come together again.
inline runtime::Duration jittered(runtime::Duration interval, base::Random& random) {
  return interval - spread(interval, random) / 10;
}

}  // namespace fairlead::health
