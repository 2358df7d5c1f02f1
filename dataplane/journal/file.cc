#include "journal/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "journal/checksum.h"
#include "journal/history.h"
#include "journal/schema.h"
#include "spdlog/spdlog.h"

namespace fairlead::journal {
namespace {

void remove_with_logs(const std::string& path) {
  for (const char* suffix : {"-wal", "-shm", "-journal", ""}) ::unlink((path + suffix).c_str());
}

absl::Status code_to_status(const Database& database, int code) {
  return code == SQLITE_OK ? absl::OkStatus() : database.status();
}

// So that what is read back comes from the disk, as far as the system can be told so.
void forget_cached(const std::string& path) {
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  close(file);
}

absl::Status copy_history(const std::string& from, Statements& statements, const Database& to) {
  absl::StatusOr<HistoryReader> reader = HistoryReader::open(from);
  if (!reader.ok()) return absl::OkStatus();
  absl::Status failed;
  absl::Status read = reader->read_back_to(0, [&](const HistoryRow& row) {
    failed = code_to_status(to, statements.run_add_history(row));
    return failed;
  });
  if (!failed.ok()) return failed;
  if (!read.ok()) spdlog::warn("journal: a part of history could not be read: {}", std::string(read.message()));
  return absl::OkStatus();
}

struct Written {
  uint64_t rows = 0;
  uint64_t sum = 0;
  friend bool operator==(const Written&, const Written&) = default;

  void add(const Row& row) {
    ++rows;
    sum += static_cast<uint64_t>(checksum(row));
  }
};

absl::StatusOr<Written> write_file(const std::string& path, const State& state, const EachRow& rows,
                                   const std::string& history_from) {
  absl::StatusOr<Database> database = Database::open(path, Database::Mode::kCreate);
  if (!database.ok()) return database.status();
  // Nobody sees it before it is whole, so there is nothing to take back.
  std::string begin = absl::StrCat("PRAGMA page_size = ", kPageSize, "; PRAGMA journal_mode = OFF;");
  if (absl::Status begun = database->run(begin.c_str()); !begun.ok()) return begun;
  if (absl::Status made = create_tables(*database); !made.ok()) return made;
  absl::StatusOr<Statements> statements = Statements::prepare(*database);
  if (!statements.ok()) return statements.status();
  if (absl::Status begun = database->run("BEGIN"); !begun.ok()) return begun;
  Written written;
  absl::Status put = rows([&](const Row& row) {
    written.add(row);
    return code_to_status(*database, statements->run_put(row));
  });
  if (!put.ok()) return put;
  if (int code = statements->run_put_state(state); code != SQLITE_OK) return database->status();
  if (!history_from.empty()) {
    if (absl::Status copied = copy_history(history_from, *statements, *database); !copied.ok()) return copied;
  }
  if (absl::Status committed = database->run("COMMIT"); !committed.ok()) return committed;
  if (absl::Status marked = database->run("PRAGMA journal_mode = WAL"); !marked.ok()) return marked;
  return written;
}

absl::Status read_back(const std::string& path, const State& state, const Written& written) {
  forget_cached(path);
  absl::StatusOr<Database> database = Database::open(path, Database::Mode::kReadOnly);
  if (!database.ok()) return database.status();
  absl::StatusOr<State> read = read_state(*database);
  if (!read.ok()) return read.status();
  Written found;
  absl::Status rows = read_rows(*database, *read, [&](const Row& row) {
    found.add(row);
    return absl::OkStatus();
  });
  if (!rows.ok()) return rows;
  if (*read == state && found == written) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": reads back other than it was written"));
}

absl::Status rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(to, ": ", strerror(errno)));
}

}  // namespace

absl::StatusOr<Statements> Statements::prepare(Database& database) {
  Statements all;
  struct {
    Statement& statement;
    const char* sql;
  } wanted[] = {
      {all.put, "INSERT OR REPLACE INTO resources VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
      {all.erase, "DELETE FROM resources WHERE uid = ?1"},
      {all.put_state, "INSERT OR REPLACE INTO state VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"},
      {all.add_history, "INSERT OR REPLACE INTO history VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"},
  };
  for (auto& [statement, sql] : wanted) {
    absl::StatusOr<Statement> prepared = database.prepare(sql);
    if (!prepared.ok()) return prepared.status();
    statement = *std::move(prepared);
  }
  return all;
}

int Statements::run_put(const Row& row) {
  put.bind(1, row.uid);
  put.bind(2, static_cast<uint64_t>(row.kind));
  put.bind(3, row.backend);
  put.bind(4, row.version);
  put.bind(5, row.create_time);
  put.bind(6, row.update_time);
  put.bind_blob(7, row.content);
  put.bind_blob(8, row.bound);
  put.bind(9, checksum(row));
  return put.run();
}

int Statements::run_erase(uint64_t uid) {
  erase.bind(1, uid);
  return erase.run();
}

int Statements::run_put_state(const State& state) {
  put_state.bind(1, state.epoch);
  put_state.bind(2, state.version);
  put_state.bind(3, state.last_uid);
  put_state.bind(4, state.election.high);
  put_state.bind(5, state.election.low);
  put_state.bind_blob(6, state.digest);
  put_state.bind(7, state.resources);
  put_state.bind(8, checksum(state));
  return put_state.run();
}

int Statements::run_add_history(const HistoryRow& row) {
  add_history.bind(1, row.version);
  add_history.bind(2, row.time);
  add_history.bind_text(3, row.actor);
  add_history.bind_text(4, row.peer);
  add_history.bind(5, row.transaction_id);
  add_history.bind_blob(6, row.fingerprint);
  add_history.bind_blob(7, row.changes);
  add_history.bind(8, checksum(row));
  return add_history.run();
}

absl::StatusOr<State> read_state(Database& database) {
  absl::StatusOr<Statement> statement = database.prepare(
      "SELECT epoch, version, last_uid, election_high, election_low, digest, resources, sum FROM state WHERE id = 1");
  if (!statement.ok()) return absl::DataLossError(std::string(statement.status().message()));
  int code = statement->step();
  if (code == SQLITE_DONE) return absl::DataLossError("its state is missing");
  if (code != SQLITE_ROW) return database.status();
  State state{.epoch = statement->number(0),
              .version = statement->number(1),
              .last_uid = statement->number(2),
              .election = {statement->number(3), statement->number(4)},
              .digest = std::string(statement->bytes(5)),
              .resources = statement->number(6)};
  if (checksum(state) != statement->signed_number(7)) return absl::DataLossError("its state does not hold");
  return state;
}

absl::Status read_rows(Database& database, const State& state, const VisitRow& visit) {
  absl::StatusOr<Statement> statement = database.prepare(
      "SELECT uid, kind, backend, version, create_time, update_time, content, bound, sum FROM resources ORDER BY uid");
  if (!statement.ok()) return absl::DataLossError(std::string(statement.status().message()));
  uint64_t count = 0;
  int code;
  while ((code = statement->step()) == SQLITE_ROW) {
    ++count;
    Row row{.uid = statement->number(0),
            .kind = static_cast<Kind>(statement->number(1)),
            .backend = statement->number(2),
            .version = statement->number(3),
            .create_time = statement->signed_number(4),
            .update_time = statement->signed_number(5),
            .content = statement->bytes(6),
            .bound = statement->bytes(7)};
    if (checksum(row) != statement->signed_number(8)) {
      return absl::DataLossError(absl::StrCat("the row of resource ", row.uid, " does not hold"));
    }
    if (absl::Status visited = visit(row); !visited.ok()) return visited;
  }
  if (code != SQLITE_DONE) return database.status();
  if (count == state.resources) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("it has ", count, " resources of ", state.resources));
}

absl::Status replace_file(const StateDirectory& directory, const State& state, const EachRow& rows,
                          const std::string& history_from) {
  std::string path = directory.file(kNewFile);
  remove_with_logs(path);
  absl::StatusOr<Written> written = write_file(path, state, rows, history_from);
  absl::Status status = written.ok() ? read_back(path, state, *written) : written.status();
  if (!status.ok()) {
    remove_with_logs(path);
    return status;
  }
  for (const char* suffix : {"-wal", "-shm", "-journal"}) ::unlink((path + suffix).c_str());
  if (absl::Status flushed = directory.flush(); !flushed.ok()) return flushed;
  if (absl::Status renamed = rename_file(path, directory.file(kNextFile)); !renamed.ok()) return renamed;
  return finish_replacement(directory);
}

absl::Status finish_replacement(const StateDirectory& directory) {
  remove_with_logs(directory.file(kNewFile));
  std::string next = directory.file(kNextFile);
  if (access(next.c_str(), F_OK) != 0) return absl::OkStatus();
  if (absl::Status flushed = directory.flush(); !flushed.ok()) return flushed;
  // Its log goes before the old file: it would be taken for the new one's.
  std::string path = directory.file(kFile);
  for (const char* suffix : {"-wal", "-shm"}) ::unlink((path + suffix).c_str());
  if (absl::Status flushed = directory.flush(); !flushed.ok()) return flushed;
  if (absl::Status renamed = rename_file(next, path); !renamed.ok()) return renamed;
  return directory.flush();
}

uint64_t bytes_of(const std::string& path) {
  uint64_t bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    struct stat found;
    if (stat((path + suffix).c_str(), &found) == 0) bytes += static_cast<uint64_t>(found.st_size);
  }
  return bytes;
}

}  // namespace fairlead::journal
