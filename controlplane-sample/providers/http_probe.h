// Whether a server answers.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fairlead::providers {

// One GET of `path` over a connection of its own. OK when the status is 200; else what was wrong. Blocks until
// `deadline` at most. `address` is "ip:port", "[ip]:port" or "unix:/path".
absl::Status probe_http(const std::string& address, const std::string& path, absl::Time deadline);

}  // namespace fairlead::providers
