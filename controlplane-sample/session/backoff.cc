#include "session/backoff.h"

#include <algorithm>

namespace fairlead::session {

absl::Duration Backoff::next() {
  // Beyond 2^30 every limit is reached; further doubling would only overflow.
  const absl::Duration wait = std::min(most_, first_ * (std::int64_t{1} << std::min(failures_, 30)));
  ++failures_;
  return wait * std::uniform_real_distribution<double>(0.5, 1.0)(random_);
}

}  // namespace fairlead::session
