// Looks at a journal's file and its write-ahead log before SQLite does, and changes nothing.
//
// SQLite takes the log's first frame that does not hold for its end, so damage in the middle would silently cut off
// what was acknowledged after it. A torn end is told from that by what follows: the log is flushed after each
// transaction, so where one stands behind the broken frame and another begins behind that, the broken one had been
// flushed.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace fairlead::journal {

// Refuses what is no file, no SQLite file, or another program's.
absl::Status check_header(const std::string& path);
// DataLoss where the log is damaged in the middle. A log that is missing or empty is sound.
absl::Status check_log(const std::string& path);

}  // namespace fairlead::journal
