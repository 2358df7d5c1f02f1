// How long no server is started after one failed: a program that ends as soon as it runs must not be started every
// second for ever. The wait doubles with each failure in a row, and the row ends when a server serves for a while.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace fairlead::scaling {

struct StartBackoffOptions {
  absl::Duration first_wait = absl::Seconds(1);
  absl::Duration longest_wait = absl::Minutes(1);
  // A server that serves so long shows that servers can.
  absl::Duration proven_after = absl::Seconds(30);
};

// After the last of so many failures in a row, at least one: first_wait, doubled for each further one, up to
// longest_wait.
absl::Duration wait_after_failures(const StartBackoffOptions& options, int failures);

// Names are those of servers; each name serves once.
class StartBackoff {
 public:
  explicit StartBackoff(StartBackoffOptions options) : options_(options) {}

  void serves(absl::Time now, const std::string& name);
  // It did not come to serve, or ended by itself. The wait that this begins; nothing where one is under way: servers
  // that were started together fail together, which is one failure.
  std::optional<absl::Duration> failed(absl::Time now, const std::string& name);
  // It ended as asked.
  void stopped(absl::Time now, const std::string& name);

  bool may_start(absl::Time now) const { return now >= start_not_before_; }
  int failures_in_a_row() const { return failures_; }

 private:
  void end_row_if_proven(absl::Time now);

  StartBackoffOptions options_;
  // Since when they serve.
  std::map<std::string, absl::Time> serving_;
  int failures_ = 0;
  absl::Time last_failure_ = absl::InfinitePast();
  absl::Time start_not_before_ = absl::InfinitePast();
};

}  // namespace fairlead::scaling
