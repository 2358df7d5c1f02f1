#include "journal/offline.h"

#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "journal/file_check.h"
#include "journal/history.h"
#include "journal/schema.h"
#include "journal/state_directory.h"

namespace fairlead::journal {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool has_log(const std::string& path) {
  std::error_code ignored;
  return exists(path + "-wal") && fs::file_size(path + "-wal", ignored) > 0;
}

std::string file_of(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  std::string next = absl::StrCat(path, "/", kNextFile);
  return exists(next) ? next : absl::StrCat(path, "/", kFile);
}

// A path as it stands in a URI of SQLite's.
std::string escaped(const std::string& path) {
  std::string out;
  for (char c : path) {
    bool special = c == '%' || c == '?' || c == '#';
    absl::StrAppend(&out, special ? absl::StrCat("%", absl::Hex(c, absl::kZeroPad2)) : std::string(1, c));
  }
  return out;
}

// What SQLite makes to read a log goes away again, unless somebody has come who uses it.
class CleanUp {
 public:
  CleanUp(const std::string& path, std::string folder)
      : index_(path + "-shm"), folder_(std::move(folder)), was_there_(exists(index_)) {}
  ~CleanUp() {
    if (!was_there_ && StateDirectory::holder(folder_) == 0) ::unlink(index_.c_str());
  }

 private:
  const std::string index_;
  const std::string folder_;
  const bool was_there_;
};

absl::Status check_structure(Database& database) {
  absl::StatusOr<Statement> check = database.prepare("PRAGMA integrity_check(1)");
  if (!check.ok()) return check.status();
  if (check->step() != SQLITE_ROW) return database.status();
  std::string said(check->bytes(0));
  return said == "ok" ? absl::OkStatus() : absl::DataLossError(said);
}

absl::Status read_history(const std::string& name) {
  absl::StatusOr<HistoryReader> history = HistoryReader::open(name);
  if (!history.ok()) return history.status();
  return history->read_back_to(0, [](const HistoryRow& row) {
    ChangeReader changes(row.changes);
    while (changes.next()) {
    }
    return changes.damaged() ? absl::DataLossError(absl::StrCat("history: version ", row.version, " is damaged"))
                             : absl::OkStatus();
  });
}

absl::StatusOr<State> read_all(Database& database, Parts parts, const VisitRow& visit) {
  absl::StatusOr<int64_t> schema = database.query("PRAGMA user_version");
  if (!schema.ok()) return schema.status();
  if (*schema != present_schema().version) {
    return absl::FailedPreconditionError(absl::StrCat("has schema ", *schema, "; this build reads ",
                                                      present_schema().version,
                                                      *schema < present_schema().version ? ": start it once" : ""));
  }
  // One moment of it, whatever its owner does meanwhile.
  if (absl::Status begun = database.run("BEGIN"); !begun.ok()) return begun;
  absl::StatusOr<State> state = read_state(database);
  if (!state.ok()) return state;
  if (absl::Status rows = read_rows(database, *state, visit); !rows.ok()) return rows;
  if (parts == Parts::kResources) return state;
  if (absl::Status structure = check_structure(database); !structure.ok()) return structure;
  return state;
}

}  // namespace

absl::StatusOr<State> read_offline(const std::string& given, Parts parts, const VisitRow& visit) {
  std::string path = file_of(given);
  auto explain = [&](const absl::Status& status) {
    std::string text(status.message());
    if (!text.starts_with(path)) text = absl::StrCat(path, ": ", absl::IsDataLoss(status) ? "is damaged: " : "", text);
    return absl::Status(status.code(), text);
  };
  if (absl::Status header = check_header(path); !header.ok()) return explain(header);
  std::string folder = fs::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  bool is_in_use = StateDirectory::holder(folder) != 0;
  // Of a log that grows meanwhile, the end could be taken for damage.
  if (absl::Status log = is_in_use ? absl::OkStatus() : check_log(path); !log.ok()) return explain(log);
  CleanUp clean_up(path, folder);
  bool is_alone = !is_in_use && !has_log(path);
  std::string name = is_alone ? absl::StrCat("file:", escaped(path), "?immutable=1") : path;
  absl::StatusOr<Database> database = Database::open(name, Database::Mode::kReadOnly);
  if (!database.ok()) return explain(database.status());
  absl::StatusOr<State> state = read_all(*database, parts, visit);
  if (!state.ok()) return explain(state.status());
  database = absl::CancelledError();
  if (parts == Parts::kResources) return state;
  if (absl::Status history = read_history(name); !history.ok()) return explain(history);
  return state;
}

}  // namespace fairlead::journal
