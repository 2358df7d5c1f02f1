#include "scaling/start_backoff.h"

#include <algorithm>
#include <cstdint>

namespace fairlead::scaling {

absl::Duration wait_after_failures(const StartBackoffOptions& options, int failures) {
  // Beyond 2^30 every limit is reached; further doubling would only overflow.
  const int doublings = std::clamp(failures - 1, 0, 30);
  return std::min(options.longest_wait, options.first_wait * (std::int64_t{1} << doublings));
}

void StartBackoff::serves(absl::Time now, const std::string& name) { serving_[name] = now; }

std::optional<absl::Duration> StartBackoff::failed(absl::Time now, const std::string& name) {
  end_row_if_proven(now);
  serving_.erase(name);
  last_failure_ = now;
  if (!may_start(now)) return std::nullopt;
  const absl::Duration wait = wait_after_failures(options_, ++failures_);
  start_not_before_ = now + wait;
  return wait;
}

void StartBackoff::stopped(absl::Time now, const std::string& name) {
  end_row_if_proven(now);
  serving_.erase(name);
}

// One that already served when the others began to fail proves nothing about those: they may be another program.
void StartBackoff::end_row_if_proven(absl::Time now) {
  const bool proven = std::ranges::any_of(serving_, [&](const auto& entry) {
    return entry.second >= last_failure_ && now - entry.second >= options_.proven_after;
  });
  if (proven) failures_ = 0;
}

}  // namespace fairlead::scaling
