// The journal's file as a whole: where it stands, making a new one, and reading one from its first row to its last.
//
// A new file is written beside the old one, flushed, read back and compared; from the moment when it is called
// kNextFile it stands for the old one, which finish_replacement() then removes with its write-ahead log. So a crash at
// any moment leaves one file that counts.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "journal/database.h"
#include "journal/rows.h"
#include "journal/state_directory.h"

namespace fairlead::journal {

inline constexpr const char* kFile = "journal.db";
inline constexpr const char* kNewFile = "journal.db.new";
inline constexpr const char* kNextFile = "journal.db.next";
inline constexpr int kPageSize = 4096;

using VisitRow = std::function<absl::Status(const Row&)>;
// Calls what it is given for each row, in the order of uids, and ends early where that fails.
using EachRow = std::function<absl::Status(const VisitRow&)>;

// Writes rows, state and history of one file.
struct Statements {
  Statement put;
  Statement erase;
  Statement put_state;
  Statement add_history;

  static absl::StatusOr<Statements> prepare(Database& database);
  int run_put(const Row& row);
  int run_erase(uint64_t uid);
  int run_put_state(const State& state);
  int run_add_history(const HistoryRow& row);
};

absl::StatusOr<State> read_state(Database& database);
// Ends with DataLoss where a row does not hold, or there are not as many as `state` says.
absl::Status read_rows(Database& database, const State& state, const VisitRow& visit);

// Makes the directory's file anew with this content. `history_from`: a former file whose history goes along as far as
// it can be read; empty for none.
absl::Status replace_file(const StateDirectory& directory, const State& state, const EachRow& rows,
                          const std::string& history_from);
// What a crash may have left of a replacement: goes on with it, or takes it away.
absl::Status finish_replacement(const StateDirectory& directory);

// Of the file and its log.
uint64_t bytes_of(const std::string& path);

}  // namespace fairlead::journal
