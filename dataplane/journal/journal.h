// The configuration on disk: rows in an SQLite file in the state directory, changed in groups.
//
// A group is one SQLite transaction and one flush of its write-ahead log (synchronous = FULL): it is there as a whole,
// or not at all, after any end of the process or the machine. The state goes with each group.
//
// What a full disk refuses is simply not there; the next group tries again. After a write or a flush that failed for
// another reason nothing is known of what the system has written, so the file takes nothing more: rebuild() writes all
// of it anew to another file, flushes that, reads it back, and puts it in the old one's place.
//
// Belongs to the store's thread; info() and path() from any.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "journal/checkpointer.h"
#include "journal/file.h"
#include "journal/rebuilder.h"
#include "journal/rows.h"
#include "journal/schema.h"
#include "journal/state_directory.h"

namespace fairlead::journal {

// How much of history stays: both hold. What goes beyond goes with the groups that come.
struct HistoryLimits {
  uint64_t versions = 10'000;
  std::chrono::nanoseconds age = std::chrono::hours(30 * 24);
};

// kStalled: a flush has not ended for longer than kStall, and who writes or reads the state waits for it.
enum class Condition { kWriting, kFull, kFailed, kHandedOver, kStalled };
inline constexpr std::chrono::seconds kStall(1);

struct Info {
  Condition condition = Condition::kWriting;
  std::string path;
  // Unless kWriting: why, and since when.
  std::string problem;
  std::chrono::system_clock::time_point since{};
  uint64_t bytes = 0;
};

class Journal {
 public:
  struct Options {
    std::string directory{};
    HistoryLimits history{};
    // Begins anew whatever is there, but for the highest election id.
    bool reset = false;
    Schema schema = present_schema();
  };

  // Opens what is there, or makes an empty journal. Errors name the directory or the file and what is wrong; what is
  // foreign, damaged or newer stays as it is, byte for byte.
  static absl::StatusOr<std::unique_ptr<Journal>> open(const Options& options);
  ~Journal();

  // There was nothing, or it was reset: there is nothing to load.
  bool is_new() const { return is_new_; }
  // As it was read, or written last.
  const State& state() const { return state_; }
  // Must succeed before the first group. Each row in the order of uids, then `check` of the whole: a DataLoss of either
  // says what is damaged. Damage is an error that names the file.
  absl::Status load(const VisitRow& visit, const std::function<absl::Status()>& check);

  // --- a group: puts, erasures and history, then commit() ---
  void put(const Row& row);
  void erase(uint64_t uid);
  void add(const HistoryRow& row);
  enum class Written { kYes, kFull, kFailed };
  // Durable when it returns kYes; else nothing of the group is there. Requires that the journal is not failed.
  Written commit(const State& state);

  // Since a commit() that said kFailed, until take_rebuilt().
  bool is_failed() const { return rebuilder_ != nullptr; }
  // Begins to write everything anew, on a thread of its own, with pauses until it succeeds; `done` is called there.
  // What `rows` reads must not change meanwhile.
  void rebuild(const EachRow& rows, std::function<void()> done);
  // After `done`: writes again.
  void take_rebuilt();

  // Lets go of the file and of the directory's lock, for another process. It writes nothing until take_back(). Requires
  // that it is not failed.
  void hand_over();
  bool is_handed_over() const { return !directory_; }
  // An error, and still handed over: it is locked, or damaged. Where the other process has changed it, that is
  // an error, too, if its changes `count`; if nobody was ever told of them, the journal is failed: rebuild() is to put
  // in its place what was there.
  absl::Status take_back(bool changes_count);

  std::string path() const { return path_; }
  Info info() const;

 private:
  // A file on its disk, whatever its name is by now.
  struct FileId {
    uint64_t device = 0;
    uint64_t inode = 0;
    bool operator==(const FileId&) const = default;
  };
  static std::optional<FileId> file_at(const std::string& path);
  struct Writing {
    Database database;
    Statements statements;
    Statement begin, commit, roll_back, prune, newest_old;
    std::unique_ptr<Checkpointer> checkpointer;
    // What was opened; the log after the first group.
    std::optional<FileId> file, log;
  };
  // Where the log ended after the last group, so that one that failed can be cut off.
  struct LogEnd {
    std::array<char, 8> salts{};
    uint32_t frames = 0;
  };

  Journal(const Options& options, StateDirectory directory);

  absl::Status prepare(Database database);
  absl::Status start_writing();
  void begin_group();
  void note(int code);
  void prune_history(uint64_t newest);
  Written give_up_group();
  Written fail(const std::string& problem);
  void cut_off_log();
  void note_log_end(uint32_t frames);
  int flush();
  std::string what_is_gone() const;
  absl::Status explain(const absl::Status& status) const;
  void set_condition(Condition condition, const std::string& problem);
  static int on_log(void* self, sqlite3*, const char*, int frames);

  const Options options_;
  const std::string path_;
  std::optional<StateDirectory> directory_;
  std::optional<Writing> writing_;
  std::unique_ptr<Rebuilder> rebuilder_;
  bool is_new_ = false;
  // What the file holds is not of this process's history: to be replaced.
  bool is_anothers_ = false;
  State state_;

  bool in_group_ = false;
  // Of the group: the first step that failed.
  int failed_ = SQLITE_OK;
  uint64_t history_added_ = 0;
  // 0: there is none.
  uint64_t oldest_history_ = 0;
  std::chrono::steady_clock::time_point next_look_at_age_{};
  uint32_t log_frames_ = 0;
  std::optional<LogEnd> log_end_;

  mutable std::mutex mutex_;
  Info info_;  // guarded by mutex_
  // When the flush began that has not ended.
  std::optional<std::chrono::steady_clock::time_point> flushing_since_;  // guarded by mutex_
};

}  // namespace fairlead::journal
