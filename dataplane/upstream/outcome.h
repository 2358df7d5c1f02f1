// How servers serve, as outlier detection sees it: what one exchange or TCP connection shows, and what a worker has
// counted.
#pragma once

#include <cstdint>

#include "config/model.h"

namespace fairlead::upstream {

enum class Outcome : uint8_t {
  kSuccess,
  // A status that says that the server failed.
  kError,
  // It, or what stands behind it, cannot be reached: 502, 503, 504, or an answer that is malformed or late.
  kGatewayError,
  // A connection that could not be made, or did not hold.
  kConnectionError,
};

inline Outcome outcome_of_status(uint16_t status) {
  // These two say something about the request.
  if (status < 500 || status == 501 || status == 505) return Outcome::kSuccess;
  return status >= 502 && status <= 504 ? Outcome::kGatewayError : Outcome::kError;
}

struct OutcomeCounts {
  config::Slot slot = 0;
  config::Uid server = 0;
  uint64_t requests = 0;
  uint64_t failures = 0;
};

}  // namespace fairlead::upstream
