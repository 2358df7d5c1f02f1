// Looks at a journal that need not belong to this process, and changes none of its bytes. Any thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "journal/file.h"
#include "journal/rows.h"

namespace fairlead::journal {

// `path`: a journal's file, or the state directory that it is in; a running data plane may have it. Checks all that can
// be checked: the log, the file's structure, each row, each transaction of history. Calls `visit` for each resource, in
// the order of uids. Returns the state that belongs to the rows; errors name the file and what is wrong.
//
// kResources: the rows alone. Without history and the rest of the file's structure they are whole or damaged just so.
enum class Parts { kResources, kAll };
absl::StatusOr<State> read_offline(const std::string& path, Parts parts, const VisitRow& visit);

}  // namespace fairlead::journal
