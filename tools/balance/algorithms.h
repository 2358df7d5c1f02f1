// The algorithms that are measured: a row for each.
#pragma once

#include <vector>

#include "config/model.h"

namespace fairlead::balance {

struct Row {
  const char* name;
  void (*choose)(config::Backend& settings);
};

inline void hash(config::Backend& settings, config::HashType type) {
  settings.algorithm = config::Algorithm::kHash;
  settings.hash.type = type;
}

inline const std::vector<Row>& algorithms() {
  using enum config::Algorithm;
  static const std::vector<Row> rows = {
      {"ROUND_ROBIN", [](config::Backend& settings) { settings.algorithm = kRoundRobin; }},
      {"RANDOM", [](config::Backend& settings) { settings.algorithm = kRandom; }},
      {"STATIC_ROUND_ROBIN", [](config::Backend& settings) { settings.algorithm = kStaticRoundRobin; }},
      {"LEAST_CONNECTIONS", [](config::Backend& settings) { settings.algorithm = kLeastConnections; }},
      {"FIRST", [](config::Backend& settings) { settings.algorithm = kFirst; }},
      {"STICKY", [](config::Backend& settings) { settings.algorithm = kSticky; }},
      {"PEAK_EWMA", [](config::Backend& settings) { settings.algorithm = kPeakEwma; }},
      {"PREQUAL", [](config::Backend& settings) { settings.algorithm = kPrequal; }},
      {"HASH_CONSISTENT", [](config::Backend& settings) { hash(settings, config::HashType::kConsistent); }},
      {"HASH_RING", [](config::Backend& settings) { hash(settings, config::HashType::kRing); }},
      {"HASH_MAGLEV", [](config::Backend& settings) { hash(settings, config::HashType::kMaglev); }},
      {"HASH_MODULO", [](config::Backend& settings) { hash(settings, config::HashType::kModulo); }},
  };
  return rows;
}

}  // namespace fairlead::balance
