#include "journal/database.h"

#include <fcntl.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/descriptor.h"

namespace fairlead::journal {
namespace {

// For all of a connection's pages: memory does not grow with the journal.
constexpr const char* kPragmas =
    "PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; "
    "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;";

}  // namespace

absl::StatusOr<Database> Database::open(const std::string& path, Mode mode) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI;
  if (mode == Mode::kReadOnly) flags |= SQLITE_OPEN_READONLY;
  if (mode != Mode::kReadOnly) flags |= SQLITE_OPEN_READWRITE;
  if (mode == Mode::kCreate) {
    flags |= SQLITE_OPEN_CREATE;
    // There are secrets in it. What SQLite makes beside it has its mode.
    base::Descriptor(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  }
  Database database;
  sqlite3* connection = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &connection, flags, nullptr);
  database.connection_.reset(connection);
  if (code != SQLITE_OK) return database.status();
  sqlite3_busy_timeout(connection, 1000);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (absl::Status status = database.run(kPragmas); !status.ok()) return status;
  return database;
}

absl::Status Database::run(const char* sql) {
  if (sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return absl::OkStatus();
  return status();
}

absl::StatusOr<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* prepared = nullptr;
  int code = sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return status();
  Statement statement;
  statement.statement_.reset(prepared);
  return statement;
}

absl::StatusOr<int64_t> Database::query(const char* sql) {
  absl::StatusOr<Statement> statement = prepare(sql);
  if (!statement.ok()) return statement.status();
  int code = statement->step();
  if (code == SQLITE_ROW) return statement->signed_number(0);
  if (code == SQLITE_DONE) return 0;
  return status();
}

std::string Database::message() const {
  if (!connection_) return "out of memory";
  int system = sqlite3_system_errno(connection_.get());
  std::string text = sqlite3_errmsg(connection_.get());
  bool is_io = (error() & 0xff) == SQLITE_IOERR || (error() & 0xff) == SQLITE_CANTOPEN;
  if (is_io) absl::StrAppend(&text, " (", error(), system != 0 ? ", " : "", system != 0 ? strerror(system) : "", ")");
  return text;
}

absl::Status Database::status() const {
  if (connection_ && is_damage(error())) return absl::DataLossError(message());
  return absl::UnavailableError(message());
}

bool is_damage(int code) { return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB; }

}  // namespace fairlead::journal
