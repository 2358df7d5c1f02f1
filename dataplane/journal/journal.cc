#include "journal/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "journal/file_check.h"
#include "spdlog/spdlog.h"

namespace fairlead::journal {
namespace {

constexpr std::chrono::seconds kLookAtAgeEvery(10);
// Of history, with a group: as much as it adds twice over, so that a long one shrinks, and no group takes long.
constexpr uint64_t kPrunedMore = 1'000;

bool is_lack_of_room(int reason) { return reason == ENOSPC || reason == EDQUOT; }

// Of its last write; 0 where that is not known.
int last_errno_of_log(const Database& database) {
  sqlite3_file* log = nullptr;
  int code = sqlite3_file_control(database.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
  int reason = 0;
  if (code == SQLITE_OK && log && log->pMethods) log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &reason);
  return reason;
}

bool is_full(const Database& database) {
  if ((database.error() & 0xff) == SQLITE_FULL) return true;
  // SQLite knows no quotas, and no file that grows but its own pages: the log's index is one as well. A flush that
  // finds no room is none of these: what was written before may be gone.
  if (database.error() == SQLITE_IOERR_SHMSIZE) return is_lack_of_room(sqlite3_system_errno(database.handle()));
  return database.error() == SQLITE_IOERR_WRITE && is_lack_of_room(last_errno_of_log(database));
}

int64_t now_ns() { return std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

EachRow no_rows() {
  return [](const VisitRow&) { return absl::OkStatus(); };
}

}  // namespace

Journal::Journal(const Options& options, StateDirectory directory)
    : options_(options), path_(directory.file(kFile)), directory_(std::move(directory)) {
  info_.path = path_;
}

Journal::~Journal() {
  rebuilder_.reset();
  if (directory_) hand_over();
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::open(const Options& options) {
  absl::StatusOr<StateDirectory> directory = StateDirectory::open(options.directory);
  if (!directory.ok()) return directory.status();
  if (absl::Status finished = finish_replacement(*directory); !finished.ok()) return finished;
  std::unique_ptr<Journal> self(new Journal(options, *std::move(directory)));
  absl::Status header = check_header(self->path_);
  bool is_there = !absl::IsNotFound(header);
  if (is_there && !header.ok()) return header;
  ElectionId election;
  if (is_there && options.reset) {
    absl::StatusOr<Database> database = Database::open(self->path_, Database::Mode::kReadWrite);
    absl::StatusOr<State> state = database.ok() ? read_state(*database) : database.status();
    if (state.ok()) election = state->election;
  }
  if (!is_there || options.reset) {
    self->is_new_ = true;
    absl::Status made = replace_file(*self->directory_, {.election = election}, no_rows(), "");
    if (!made.ok()) return absl::FailedPreconditionError(absl::StrCat(self->path_, ": ", std::string(made.message())));
  }
  if (absl::Status log = check_log(self->path_); !log.ok()) return self->explain(log);
  absl::StatusOr<Database> database = Database::open(self->path_, Database::Mode::kReadWrite);
  if (!database.ok()) return self->explain(database.status());
  if (absl::Status prepared = self->prepare(*std::move(database)); !prepared.ok()) return prepared;
  return self;
}

absl::Status Journal::prepare(Database database) {
  writing_.emplace();
  writing_->database = std::move(database);
  Database& open = writing_->database;
  if (absl::Status migrated = migrate(open, options_.schema); !migrated.ok()) return explain(migrated);
  absl::StatusOr<State> state = read_state(open);
  if (!state.ok()) return explain(state.status());
  state_ = *std::move(state);
  absl::StatusOr<Statements> statements = Statements::prepare(open);
  if (!statements.ok()) return explain(statements.status());
  writing_->statements = *std::move(statements);
  struct {
    Statement& statement;
    const char* sql;
  } wanted[] = {
      {writing_->begin, "BEGIN IMMEDIATE"},
      {writing_->commit, "COMMIT"},
      {writing_->roll_back, "ROLLBACK"},
      {writing_->prune, "DELETE FROM history WHERE version < ?1"},
      {writing_->newest_old,
       "SELECT max(version) FROM (SELECT version, time FROM history ORDER BY version LIMIT ?1) WHERE time < ?2"},
  };
  for (auto& [statement, sql] : wanted) {
    absl::StatusOr<Statement> prepared = open.prepare(sql);
    if (!prepared.ok()) return explain(prepared.status());
    statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::Status Journal::load(const VisitRow& visit, const std::function<absl::Status()>& check) {
  absl::Status read = read_rows(writing_->database, state_, visit);
  if (read.ok()) read = check();
  if (!read.ok()) return explain(read);
  if (writing_->database.in_transaction()) {
    if (absl::Status migrated = writing_->database.run("COMMIT"); !migrated.ok()) return explain(migrated);
    spdlog::info("journal: its schema is now {}", options_.schema.version);
  }
  return start_writing();
}

absl::Status Journal::start_writing() {
  Database& database = writing_->database;
  // What an end of the process left in the log goes into the file, and the log begins anew. Where that fails (a full
  // disk) it stays as it is.
  int merged = sqlite3_wal_checkpoint_v2(database.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (merged == SQLITE_OK) log_end_ = LogEnd{};
  sqlite3_wal_hook(database.handle(), on_log, this);
  absl::StatusOr<int64_t> oldest = database.query("SELECT min(version) FROM history");
  if (!oldest.ok()) return explain(oldest.status());
  oldest_history_ = static_cast<uint64_t>(*oldest);
  writing_->checkpointer = std::make_unique<Checkpointer>(path_);
  writing_->file = file_at(path_);
  set_condition(Condition::kWriting, "");
  return absl::OkStatus();
}

absl::Status Journal::explain(const absl::Status& status) const {
  std::string text(status.message());
  if (!absl::IsDataLoss(status)) return absl::Status(status.code(), absl::StrCat(path_, ": ", text));
  if (text.starts_with(path_)) text = text.substr(path_.size() + (text[path_.size()] == ':' ? 2 : 0));
  return absl::DataLossError(absl::StrCat(path_, ": is damaged: ", text,
                                          "; nothing was changed. Restore it from a copy, or move it away to begin "
                                          "empty"));
}

int Journal::on_log(void* self, sqlite3*, const char*, int frames) {
  static_cast<Journal*>(self)->log_frames_ = static_cast<uint32_t>(frames);
  return SQLITE_OK;
}

void Journal::note(int code) {
  if (failed_ == SQLITE_OK && code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) failed_ = code;
}

void Journal::begin_group() {
  if (in_group_) return;
  FAIRLEAD_CHECK(writing_ && writing_->checkpointer && !is_failed());
  in_group_ = true;
  history_added_ = 0;
  if (writing_->checkpointer->leaves_rest_to_writer()) {
    sqlite3_wal_checkpoint_v2(writing_->database.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  }
  note(writing_->begin.run());
}

void Journal::put(const Row& row) {
  begin_group();
  if (failed_ == SQLITE_OK) note(writing_->statements.run_put(row));
}

void Journal::erase(uint64_t uid) {
  begin_group();
  if (failed_ == SQLITE_OK) note(writing_->statements.run_erase(uid));
}

void Journal::add(const HistoryRow& row) {
  if (options_.history.versions == 0) return;
  begin_group();
  if (failed_ == SQLITE_OK) note(writing_->statements.run_add_history(row));
  if (oldest_history_ == 0) oldest_history_ = row.version;
  ++history_added_;
}

// Versions follow each other, so their number is a difference; the oldest are those that are too old.
void Journal::prune_history(uint64_t newest) {
  uint64_t most = oldest_history_ + 2 * history_added_ + kPrunedMore;
  uint64_t keep_from = newest + 1 - std::min(newest + 1, options_.history.versions);
  uint64_t pruned_to = std::min(keep_from, most);
  auto now = std::chrono::steady_clock::now();
  if (now >= next_look_at_age_) {
    next_look_at_age_ = now + kLookAtAgeEvery;
    writing_->newest_old.bind(1, most - oldest_history_);
    writing_->newest_old.bind(2, now_ns() - options_.history.age.count());
    int code = writing_->newest_old.step();
    uint64_t newest_old = code == SQLITE_ROW ? writing_->newest_old.number(0) : 0;
    writing_->newest_old.reset();
    note(code);
    pruned_to = std::max(pruned_to, newest_old + 1);
    // There may be more.
    if (newest_old > 0) next_look_at_age_ = now;
  }
  if (pruned_to <= oldest_history_ || failed_ != SQLITE_OK) return;
  writing_->prune.bind(1, pruned_to);
  note(writing_->prune.run());
  oldest_history_ = pruned_to;
}

Journal::Written Journal::commit(const State& state) {
  begin_group();
  uint64_t oldest_before = oldest_history_;
  if (oldest_history_ > 0) prune_history(state.version);
  if (failed_ == SQLITE_OK) note(writing_->statements.run_put_state(state));
  if (failed_ == SQLITE_OK) note(flush());
  in_group_ = false;
  if (failed_ != SQLITE_OK) {
    oldest_history_ = oldest_before;
    return give_up_group();
  }
  // What was written to a file that nobody finds is not kept.
  if (std::string gone = what_is_gone(); !gone.empty()) return fail(gone);
  state_ = state;
  note_log_end(log_frames_);
  if (!writing_->log) writing_->log = file_at(path_ + "-wal");
  writing_->checkpointer->log_is(log_frames_);
  set_condition(Condition::kWriting, "");
  return Written::kYes;
}

std::optional<Journal::FileId> Journal::file_at(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return FileId{found.st_dev, found.st_ino};
}

// Empty for nothing.
std::string Journal::what_is_gone() const {
  if (!directory_->is_in_place())
    return absl::StrCat(directory_->path(), " was removed, or another one is in its place");
  auto is_gone = [](const std::string& path, const std::optional<FileId>& id) { return id && file_at(path) != id; };
  for (const auto& [path, id] : {std::pair(path_, writing_->file), std::pair(path_ + "-wal", writing_->log)}) {
    if (is_gone(path, id)) return absl::StrCat(path, " was removed, or another one is in its place");
  }
  return "";
}

int Journal::flush() {
  const auto began = std::chrono::steady_clock::now();
  auto set_flushing = [this](std::optional<std::chrono::steady_clock::time_point> since) {
    std::lock_guard lock(mutex_);
    flushing_since_ = since;
  };
  set_flushing(began);
  const int code = writing_->commit.run();
  set_flushing(std::nullopt);
  const auto took = std::chrono::steady_clock::now() - began;
  if (took >= kStall) {
    spdlog::warn("journal: the disk took {:.1f} s for a flush of {}; writes and reads of the state waited",
                 std::chrono::duration<double>(took).count(), path_);
  }
  return code;
}

void Journal::note_log_end(uint32_t frames) {
  bool same_log = log_end_ && log_end_->frames > 0 && frames >= log_end_->frames;
  if (!same_log) {
    log_end_ = LogEnd{};
    int log = ::open((path_ + "-wal").c_str(), O_RDONLY | O_CLOEXEC);
    bool read = log >= 0 && pread(log, log_end_->salts.data(), log_end_->salts.size(), 16) == 8;
    if (log >= 0) close(log);
    if (!read) log_end_.reset();
  }
  if (log_end_) log_end_->frames = frames;
}

Journal::Written Journal::give_up_group() {
  std::string problem = writing_->database.message();
  bool full = is_full(writing_->database);
  failed_ = SQLITE_OK;
  if (full && writing_->database.in_transaction()) full = writing_->roll_back.run() == SQLITE_OK;
  if (full) {
    set_condition(Condition::kFull, problem);
    return Written::kFull;
  }
  return fail(problem);
}

Journal::Written Journal::fail(const std::string& problem) {
  set_condition(Condition::kFailed, problem);
  writing_.reset();
  cut_off_log();
  rebuilder_ = std::make_unique<Rebuilder>();
  return Written::kFailed;
}

// The group may stand in the log as if it was whole, and would count at the next start although it was refused.
void Journal::cut_off_log() {
  std::string name = path_ + "-wal";
  int log = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
  if (log < 0) return;
  std::array<char, 8> salts{};
  bool known = log_end_ && pread(log, salts.data(), salts.size(), 16) == static_cast<ssize_t>(salts.size());
  // A log that has begun anew has nothing but this group: all before it is in the file.
  bool begun_anew = known && salts != log_end_->salts;
  off_t size = begun_anew ? 0 : 32 + off_t{log_end_ ? log_end_->frames : 0} * (kPageSize + 24);
  if (!known || ftruncate(log, size) != 0 || fsync(log) != 0) {
    spdlog::warn("journal: {} could not be cut to what was acknowledged", name);
  }
  close(log);
}

void Journal::rebuild(const EachRow& rows, std::function<void()> done) {
  FAIRLEAD_CHECK(is_failed());
  auto failed = [this](const absl::Status& status) {
    spdlog::error("journal: the new file could not be written: {}", std::string(status.message()));
    set_condition(Condition::kFailed, std::string(status.message()));
  };
  rebuilder_->start(
      *directory_,
      {.state = state_, .rows = rows, .keep_history = !is_anothers_, .failed = failed, .done = std::move(done)});
}

void Journal::take_rebuilt() {
  rebuilder_.reset();
  log_end_.reset();
  absl::StatusOr<Database> database = Database::open(path_, Database::Mode::kReadWrite);
  State expected = state_;
  absl::Status status = database.ok() ? prepare(*std::move(database)) : database.status();
  if (status.ok()) status = start_writing();
  if (status.ok() && state_ == expected) {
    is_anothers_ = false;
    return;
  }
  state_ = expected;
  writing_.reset();
  rebuilder_ = std::make_unique<Rebuilder>();
  set_condition(Condition::kFailed, std::string(status.message()));
}

void Journal::hand_over() {
  FAIRLEAD_CHECK(!is_failed());
  // Unless it never began to write: what was refused stays as it is.
  if (writing_ && writing_->checkpointer) {
    writing_->checkpointer.reset();
    sqlite3_wal_checkpoint_v2(writing_->database.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  }
  writing_.reset();
  directory_.reset();
  set_condition(Condition::kHandedOver, "another process has taken over");
}

absl::Status Journal::take_back(bool changes_count) {
  absl::StatusOr<StateDirectory> directory = StateDirectory::open(options_.directory);
  if (!directory.ok()) return directory.status();
  if (absl::Status finished = finish_replacement(*directory); !finished.ok()) return finished;
  State expected = state_;
  if (absl::Status log = check_log(path_); !log.ok()) return explain(log);
  absl::StatusOr<Database> database = Database::open(path_, Database::Mode::kReadWrite);
  absl::Status status = database.ok() ? prepare(*std::move(database)) : explain(database.status());
  bool has_changed = status.ok() && state_ != expected;
  if (has_changed && changes_count) {
    status = absl::FailedPreconditionError(absl::StrCat(path_, ": another process has gone on with it"));
  }
  if (status.ok() && !has_changed) status = start_writing();
  if (status.ok()) directory_ = *std::move(directory);
  if (!status.ok() || has_changed) {
    state_ = expected;
    writing_.reset();
  }
  if (status.ok() && has_changed) {
    is_anothers_ = true;
    set_condition(Condition::kFailed, "a process that failed to take over has left other contents there");
    rebuilder_ = std::make_unique<Rebuilder>();
  }
  return status;
}

void Journal::set_condition(Condition condition, const std::string& problem) {
  std::lock_guard lock(mutex_);
  if (info_.condition != condition) info_.since = std::chrono::system_clock::now();
  if (info_.condition != condition && condition == Condition::kWriting) spdlog::info("journal: writes are taken again");
  if (info_.condition != condition && condition == Condition::kFull) {
    spdlog::error("journal: {}: no room: {}; writes are refused until there is", path_, problem);
  }
  if (info_.condition != condition && condition == Condition::kFailed) {
    spdlog::error("journal: {}: {}; writes are refused until all of it stands in a new file", path_, problem);
  }
  info_.condition = condition;
  info_.problem = condition == Condition::kWriting ? "" : problem;
}

Info Journal::info() const {
  Info info;
  {
    std::lock_guard lock(mutex_);
    info = info_;
    const auto flushing = flushing_since_ ? std::chrono::steady_clock::now() - *flushing_since_ : kStall * 0;
    if (flushing >= kStall) {
      info.condition = Condition::kStalled;
      info.problem = absl::StrCat("the disk has not ended a flush for ",
                                  std::chrono::floor<std::chrono::seconds>(flushing).count(), " s");
      info.since =
          std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(flushing);
    }
  }
  info.bytes = bytes_of(path_);
  return info;
}

}  // namespace fairlead::journal
