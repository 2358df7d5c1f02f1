#include "scaling/recommender.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace fairlead::scaling {

absl::Status validate(const ScalingPolicy& policy) {
  const double target = policy.target.in_flight_per_server;
  if (!std::isfinite(target) || target <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("target_in_flight: ", target, " must be above 0"));
  }
  const double tolerance = policy.target.tolerance;
  if (!(tolerance >= 0 && tolerance < 1)) {
    return absl::InvalidArgumentError(absl::StrCat("tolerance: ", tolerance, " is out of range [0, 1)"));
  }
  if (policy.minimum < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("min: ", policy.minimum, " must be at least 1: without a server there is no load to see"));
  }
  if (policy.maximum < policy.minimum || policy.maximum > 100000) {
    return absl::InvalidArgumentError(
        absl::StrCat("max: ", policy.maximum, " is out of range [min = ", policy.minimum, ", 100000]"));
  }
  if (policy.down_window < absl::ZeroDuration() || policy.down_window > absl::Hours(24)) {
    return absl::InvalidArgumentError(
        absl::StrCat("down_window: ", absl::FormatDuration(policy.down_window), " is out of range [0s, 24h]"));
  }
  return absl::OkStatus();
}

Recommender::Recommender(ScalingPolicy policy)
    : policy_(policy),
      recommendations_(policy.down_window),
      added_(policy.up_limit.period),
      removed_(policy.down_limit.period) {}

Recommendation Recommender::recommend(absl::Time now, int servers, double load) {
  const int for_load = desired_servers(servers, load, policy_.target);
  const int wanted = stabilized(now, servers, for_load);
  return {.for_load = for_load, .desired = limited(now, servers, wanted)};
}

Recommendation Recommender::without_load(int servers) const {
  return {.for_load = servers, .desired = std::clamp(servers, policy_.minimum, policy_.maximum)};
}

int Recommender::stabilized(absl::Time now, int servers, int for_load) {
  // What was there at the start counts as recommended: a restart in a lull does not throw servers away.
  if (recommendations_.empty()) recommendations_.add(now, servers);
  recommendations_.add(now, for_load);
  if (for_load >= servers) return for_load;
  return std::min(servers, recommendations_.highest(now));
}

int Recommender::limited(absl::Time now, int servers, int wanted) {
  if (servers < policy_.minimum) return policy_.minimum;
  if (servers > policy_.maximum) return policy_.maximum;
  const int most = most_allowed(policy_.up_limit, servers, added_.recent(now));
  const int least = least_allowed(policy_.down_limit, servers, removed_.recent(now));
  return std::clamp(std::clamp(wanted, least, most), policy_.minimum, policy_.maximum);
}

void Recommender::changed(absl::Time now, int difference) {
  if (difference > 0) added_.add(now, difference);
  if (difference < 0) removed_.add(now, -difference);
}

}  // namespace fairlead::scaling
