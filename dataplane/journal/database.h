// SQLite as this folder uses it: connections and prepared statements that are closed when they end, errors as values.
// A connection belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sqlite3.h"

namespace fairlead::journal {

// A prepared statement. Texts and blobs that are bound must live until step() is through.
class Statement {
 public:
  Statement() = default;

  void bind(int index, uint64_t value) { sqlite3_bind_int64(statement_.get(), index, static_cast<int64_t>(value)); }
  void bind(int index, int64_t value) { sqlite3_bind_int64(statement_.get(), index, value); }
  void bind_blob(int index, std::string_view bytes) {
    // An empty blob needs an address as well, or it is NULL.
    const char* data = bytes.empty() ? "" : bytes.data();
    sqlite3_bind_blob64(statement_.get(), index, data, bytes.size(), SQLITE_STATIC);
  }
  void bind_text(int index, std::string_view text) {
    const char* data = text.empty() ? "" : text.data();
    sqlite3_bind_text64(statement_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }

  // SQLITE_ROW, SQLITE_DONE, or what went wrong.
  int step() { return sqlite3_step(statement_.get()); }
  void reset() { sqlite3_reset(statement_.get()); }
  // For those that return no rows: runs it and makes it ready for the next time.
  int run() {
    int code = step();
    reset();
    return code == SQLITE_DONE ? SQLITE_OK : code;
  }

  // Of the present row; bytes hold until the next step.
  uint64_t number(int column) const { return static_cast<uint64_t>(sqlite3_column_int64(statement_.get(), column)); }
  int64_t signed_number(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string_view bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return {data, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
  }

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  enum class Mode { kReadOnly, kReadWrite, kCreate };

  // Never merges the write-ahead log into the file on its own, neither while writing nor when it is closed. Waits up to
  // a second for another connection's lock.
  static absl::StatusOr<Database> open(const std::string& path, Mode mode);

  absl::Status run(const char* sql);
  absl::StatusOr<Statement> prepare(const char* sql);
  // The first column of the first row; 0 where there is none.
  absl::StatusOr<int64_t> query(const char* sql);

  sqlite3* handle() const { return connection_.get(); }
  // The extended code of the last error.
  int error() const { return sqlite3_extended_errcode(connection_.get()); }
  // "disk I/O error", with what the system said.
  std::string message() const;
  absl::Status status() const;
  bool in_transaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  std::unique_ptr<sqlite3, Close> connection_;
};

// SQLITE_CORRUPT, SQLITE_NOTADB: what the file says makes no sense.
bool is_damage(int code);

}  // namespace fairlead::journal
