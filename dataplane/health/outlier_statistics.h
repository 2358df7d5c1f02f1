// Whose requests fail far more than others', by what was counted in an interval. Pure.
//
// As Envoy's outlier detection has it: success rates against their mean and standard deviation, and failures in
// percent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/model.h"
#include "config/outlier_detection.h"

namespace fairlead::health {

struct Outcomes {
  config::Slot slot = 0;
  config::Uid server = 0;
  uint64_t requests = 0;
  uint64_t failures = 0;
};

struct Outlier {
  config::Slot slot = 0;
  config::Uid server = 0;
  std::string reason;
};

// The worst first; each server once. `all`: of servers that are not ejected.
std::vector<Outlier> find_outliers(const std::vector<Outcomes>& all, const config::OutlierDetection& settings);

}  // namespace fairlead::health
