// Which data planes there are, and how they are spoken to, as flags say it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "session/tls_files.h"

namespace fairlead::session {

// At least one, none empty and none twice, and TLS whole where there is any; else names the flag that is wrong.
absl::Status validate(const std::vector<std::string>& dataplanes, const TlsFiles& tls);

}  // namespace fairlead::session
