// Telling others that the data plane serves: a file for scripts and tests, systemd where it asks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace fairlead::server {

struct BoundAddresses {
  // By listener's name.
  std::map<std::string, std::vector<std::string>> listeners;
  std::vector<std::string> management;
  // Empty: none.
  std::string observation;
};

// {"listeners":{"web":["127.0.0.1:8080"]},"management":["unix:/run/..."],"observation":"127.0.0.1:9902","pid":4711}
// Appears whole or not at all: written beside and renamed.
absl::Status write_ready_file(const std::string& path, const BoundAddresses& addresses);

}  // namespace fairlead::server
