// The algorithms that are measured: a row for each.
#pragma once

#include <vector>

#include "config/model.h"

namespace fairlead::balance {

struct Row {
  const char* name;
  void (*choose)(config::Backend& settings);
};

inline const std::vector<Row>& algorithms() {
  static const std::vector<Row> rows = {
      {"ROUND_ROBIN", [](config::Backend& settings) { settings.algorithm = config::Algorithm::kRoundRobin; }},
      {"RANDOM", [](config::Backend& settings) { settings.algorithm = config::Algorithm::kRandom; }},
  };
  return rows;
}

}  // namespace fairlead::balance
