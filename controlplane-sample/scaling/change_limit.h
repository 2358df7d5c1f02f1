// How fast the number of servers may change: at most so many servers, or so many percent of what was there, in a
// period; where both are given, the one that allows more counts, as in the behaviour policies of Kubernetes.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::scaling {

// Without servers and percent: no limit.
struct ChangeLimit {
  std::optional<int> servers;
  std::optional<double> percent;
  absl::Duration period = absl::Seconds(15);

  bool operator==(const ChangeLimit&) const = default;
};

// "4/15s", "100%/15s", "4,100%/15s", "none".
absl::StatusOr<ChangeLimit> parse_change_limit(absl::string_view text);
std::string format_change_limit(const ChangeLimit& limit);

// The number may be at most this, when there are `servers` now and `recent` of them were added within the period.
int most_allowed(const ChangeLimit& limit, int servers, int recent);
// The number must be at least this, when there are `servers` now and `recent` were removed within the period.
int least_allowed(const ChangeLimit& limit, int servers, int recent);

// Remembers changes for one period.
class ChangeHistory {
 public:
  explicit ChangeHistory(absl::Duration period) : period_(period) {}

  void add(absl::Time now, int servers);
  int recent(absl::Time now);

 private:
  struct Entry {
    absl::Time time;
    int servers;
  };

  absl::Duration period_;
  std::deque<Entry> entries_;
  int sum_ = 0;
};

}  // namespace fairlead::scaling
