// How many requests may come in a time: a token bucket.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "config/duration.h"

namespace fairlead::config {

// Fields that are unset hold their default, which the accessor gives.
struct RateLimit {
  std::optional<uint32_t> requests;
  std::optional<Duration> per;
  std::optional<uint32_t> burst;

  bool is_set() const { return requests.value_or(0) > 0; }
  // These require is_set(). In which time there is another token, at least 1 ns;
  Duration interval() const { return per.value_or(std::chrono::seconds(1)) / *requests; }
  // and how many there are at most.
  uint32_t effective_burst() const { return burst.value_or(*requests); }
  bool operator==(const RateLimit&) const = default;
};

struct ClientRateLimit {
  RateLimit limit;
  std::optional<uint32_t> max_addresses;

  uint32_t effective_max_addresses() const { return max_addresses.value_or(65'536); }
  bool operator==(const ClientRateLimit&) const = default;
};

}  // namespace fairlead::config
