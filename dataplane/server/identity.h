// Who the process is when it serves: root, which it needs to bind ports below 1024, is given up.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "api/field_checker.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::server {

struct Identity {
  std::string user;
  uid_t uid = 0;
  gid_t gid = 0;
  // With `gid`; empty: that alone.
  std::vector<gid_t> groups;
};

// `user` and `group`, found in the system's lists or as numbers. Unset where neither is there.
std::optional<Identity> decode_identity(api::FieldChecker& checker, const v1::Configuration& message);

// Gives the folder and what is in it to the user.
absl::Status give_folder(const std::string& folder, const Identity& identity);
// All threads become that user, for good, without any capability. Nothing to do where they are already.
absl::Status become(const Identity& identity);

}  // namespace fairlead::server
