// From load to a number of servers: formula, stabilization, limits; in this order, as Kubernetes does it.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "scaling/change_limit.h"
#include "scaling/formula.h"
#include "scaling/windows.h"

namespace fairlead::scaling {

struct ScalingPolicy {
  Target target;
  // 1 <= minimum <= maximum. Without any server there would be no load that could ask for one.
  int minimum = 1;
  int maximum = 10;
  // Going down, the highest recommendation of this window counts.
  absl::Duration down_window = absl::Minutes(5);
  ChangeLimit up_limit = {.servers = 4, .percent = 100};
  ChangeLimit down_limit = {.servers = std::nullopt, .percent = 100};
};

// Names the field, its value and what would be right.
absl::Status validate(const ScalingPolicy& policy);

struct Recommendation {
  // What the formula says for the load.
  int for_load = 0;
  // What is to be now.
  int desired = 0;
};

// Pure: time is an argument, and never goes back.
class Recommender {
 public:
  // Requires a valid policy.
  explicit Recommender(ScalingPolicy policy);

  // `servers` that are wanted now and the requests that are in flight over all of them.
  Recommendation recommend(absl::Time now, int servers, double load);
  // While nothing is known of the load: only the bounds.
  Recommendation without_load(int servers) const;
  // The number was changed by so many, on purpose; counts for the limits.
  void changed(absl::Time now, int difference);

 private:
  int stabilized(absl::Time now, int servers, int for_load);
  int limited(absl::Time now, int servers, int wanted);

  ScalingPolicy policy_;
  HighestWindow recommendations_;
  ChangeHistory added_;
  ChangeHistory removed_;
};

}  // namespace fairlead::scaling
