#include "session/dataplanes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fairlead::session {

absl::Status validate(const std::vector<std::string>& dataplanes, const TlsFiles& tls) {
  if (absl::Status status = validate(tls); !status.ok()) return status;
  if (dataplanes.empty()) {
    return absl::InvalidArgumentError(
        "dataplane: is missing; name at least one, as unix:/path or host:port, each with a --dataplane of its own");
  }
  for (auto next = dataplanes.begin(); next != dataplanes.end(); ++next) {
    if (next->empty()) return absl::InvalidArgumentError("dataplane: is empty; right are unix:/path and host:port");
    if (std::find(dataplanes.begin(), next, *next) != next) {
      return absl::InvalidArgumentError(absl::StrCat("dataplane: ", *next, " is named twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace fairlead::session
