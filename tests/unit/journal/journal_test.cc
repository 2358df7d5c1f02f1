// Journals that are opened, written, closed, damaged and opened again.
#include "journal/journal.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "faulty_vfs/faulty_vfs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "journal/history.h"
#include "temporary_folder.h"

namespace fairlead::journal {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Rows = std::map<uint64_t, std::string>;

absl::Status sound() { return absl::OkStatus(); }

class JournalTest : public testing::Test {
 protected:
  JournalTest() { test_support::install_faulty_vfs(); }
  ~JournalTest() override { test_support::set_faults({}); }

  // Empty where it was opened and loaded; else what was said.
  std::string open(Journal::Options options = {}) {
    journal_.reset();
    options.directory = folder_.state();
    auto opened = Journal::open(options);
    if (!opened.ok()) return std::string(opened.status().message());
    journal_ = *std::move(opened);
    rows_.clear();
    absl::Status loaded = journal_->load(
        [this](const Row& row) {
          rows_[row.uid] = std::string(row.content);
          return absl::OkStatus();
        },
        sound);
    if (loaded.ok()) return "";
    journal_.reset();
    return std::string(loaded.message());
  }
  void must_open(const Journal::Options& options = {}) { ASSERT_EQ(open(options), ""); }

  // One resource more, as a transaction of its own.
  Journal::Written add(const std::string& content) {
    Row row{.uid = journal_->state().last_uid + 1, .version = journal_->state().version + 1, .content = content};
    State state = journal_->state();
    state.version = row.version;
    state.last_uid = row.uid;
    ++state.resources;
    journal_->put(row);
    journal_->add({.version = row.version,
                   .time = history_time_,
                   .actor = "cp",
                   .peer = "here",
                   .transaction_id = 100 + row.version});
    return journal_->commit(state);
  }
  void must_add(const std::string& content) { ASSERT_EQ(add(content), Journal::Written::kYes); }
  // As a process that is killed leaves it: nothing is merged, closed or flushed.
  void kill_and_open() {
    std::filesystem::copy(folder_.state(), folder_.path() + "/copy");
    journal_.reset();
    std::filesystem::remove_all(folder_.state());
    std::filesystem::rename(folder_.path() + "/copy", folder_.state());
    std::filesystem::remove(folder_.file("lock"));
  }

  TemporaryFolder folder_;
  std::unique_ptr<Journal> journal_;
  Rows rows_;
  int64_t history_time_ = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
};

TEST_F(JournalTest, KeepsWhatWasWritten) {
  must_open();
  EXPECT_TRUE(journal_->is_new());
  must_add("one");
  must_add("two");
  State state = journal_->state();
  must_open();
  EXPECT_FALSE(journal_->is_new());
  EXPECT_EQ(rows_, (Rows{{1, "one"}, {2, "two"}}));
  EXPECT_EQ(journal_->state(), state);
  journal_->erase(1);
  state.resources = 1;
  state.election = {7, 8};
  ASSERT_EQ(journal_->commit(state), Journal::Written::kYes);
  kill_and_open();
  must_open();
  EXPECT_EQ(rows_, (Rows{{2, "two"}}));
  EXPECT_EQ(journal_->state().election, (ElectionId{7, 8}));
}

TEST_F(JournalTest, AResetKeepsTheElectionIdOnly) {
  must_open();
  must_add("one");
  State state = journal_->state();
  state.election = {7, 8};
  ASSERT_EQ(journal_->commit(state), Journal::Written::kYes);
  must_open({.reset = true});
  EXPECT_TRUE(journal_->is_new());
  EXPECT_TRUE(rows_.empty());
  EXPECT_EQ(journal_->state(), (State{.election = {7, 8}}));
}

TEST_F(JournalTest, BelongsToOneProcess) {
  must_open();
  auto second = Journal::open({.directory = folder_.state()});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr(folder_.state()), HasSubstr("in use by process " + std::to_string(getpid()))));
  journal_.reset();
  EXPECT_TRUE(Journal::open({.directory = folder_.state()}).ok());
}

TEST_F(JournalTest, RefusesFoldersThatCannotBe) {
  write_file(folder_.path() + "/file", "text");
  for (auto [path, text] :
       std::map<std::string, std::string>{{"/missing/state", "/missing does not exist; create that first"},
                                          {"/file", "is a file; it must be a folder"},
                                          {"/file/state", "is below a file"}}) {
    auto opened = Journal::open({.directory = folder_.path() + path});
    ASSERT_FALSE(opened.ok()) << path;
    EXPECT_THAT(std::string(opened.status().message()), AllOf(HasSubstr("state_directory: "), HasSubstr(text)));
  }
}

TEST_F(JournalTest, LeavesForeignFilesAlone) {
  std::filesystem::create_directory(folder_.state());
  std::string other(4096, 'x');
  std::string foreign = folder_.path() + "/foreign.db";
  ASSERT_EQ(Database::open(foreign, Database::Mode::kCreate)->run("CREATE TABLE t (x)"), absl::OkStatus());
  for (auto [bytes, text] : std::map<std::string, std::string>{{other, "is not a journal of fairlead"},
                                                               {"", "is not a journal of fairlead"},
                                                               {read_file(foreign), "another program's SQLite file"}}) {
    write_file(folder_.file(), bytes);
    EXPECT_THAT(open(), AllOf(HasSubstr(folder_.file()), HasSubstr(text)));
    EXPECT_EQ(read_file(folder_.file()), bytes);
  }
}

TEST_F(JournalTest, RefusesANewerSchemaAndLeavesItAlone) {
  must_open();
  must_add("one");
  journal_.reset();
  ASSERT_TRUE(Database::open(folder_.file(), Database::Mode::kReadWrite)->run("PRAGMA user_version = 99").ok());
  std::string before = read_file(folder_.file());
  EXPECT_THAT(open(), AllOf(HasSubstr("newer fairlead"), HasSubstr("schema is 99")));
  EXPECT_EQ(read_file(folder_.file()), before);
}

TEST_F(JournalTest, AnOlderSchemaIsBroughtForwardAndAFailedWayChangesNothing) {
  must_open();
  must_add("one");
  Migration steps[] = {{1, "ALTER TABLE history ADD COLUMN note TEXT; ALTER TABLE history DROP COLUMN note;"},
                       {2, "UPDATE state SET id = 1;"}};
  Migration broken[] = {{1, "UPDATE resources SET content = x'00';"}};
  EXPECT_THAT(open({.schema = {2, broken}}), HasSubstr("is damaged"));
  EXPECT_THAT(open({.schema = {3, broken}}), HasSubstr("which this build cannot read"));
  must_open({.schema = {3, steps}});
  EXPECT_EQ(rows_, (Rows{{1, "one"}}));
  EXPECT_THAT(open(), HasSubstr("newer fairlead"));
  must_open({.schema = {3, steps}});
}

TEST_F(JournalTest, FindsDamageInAnyPageThatMatters) {
  must_open();
  for (int i = 0; i < 200; ++i) must_add("resource number " + std::to_string(i) + std::string(50, '.'));
  journal_.reset();
  std::string sound_bytes = read_file(folder_.file());
  size_t at = sound_bytes.find("resource number 77.");
  ASSERT_NE(at, std::string::npos);
  std::string damaged = sound_bytes;
  damaged[at + 3] ^= 1;
  write_file(folder_.file(), damaged);
  EXPECT_THAT(open(), AllOf(HasSubstr("is damaged"), HasSubstr("resource 78"), HasSubstr("nothing was changed")));
  EXPECT_EQ(read_file(folder_.file()), damaged);
  // A whole page of the table.
  damaged = sound_bytes;
  std::fill_n(damaged.begin() + static_cast<ptrdiff_t>(at / 4096 * 4096), 4096, '\0');
  write_file(folder_.file(), damaged);
  EXPECT_THAT(open(), HasSubstr("is damaged"));
  EXPECT_EQ(read_file(folder_.file()), damaged);
  write_file(folder_.file(), sound_bytes);
  must_open();
  EXPECT_EQ(rows_.size(), 200u);
}

// The log as it is while the process runs, cut and broken at each frame.
TEST_F(JournalTest, ATornEndIsCutOffAndDamageInTheMiddleStopsTheStart) {
  must_open();
  for (int i = 0; i < 6; ++i) must_add("r" + std::to_string(i));
  kill_and_open();
  std::string log = read_file(folder_.file("journal.db-wal"));
  std::string base = read_file(folder_.file());
  constexpr size_t kFrame = 4096 + 24;
  size_t frames = (log.size() - 32) / kFrame;
  std::vector<size_t> ends;  // frames after which a transaction is complete
  for (size_t i = 0; i < frames; ++i) {
    if (log.substr(32 + i * kFrame + 4, 4) != std::string(4, '\0')) ends.push_back(i + 1);
  }
  ASSERT_EQ(ends.size(), 6u);
  auto start_with = [&](const std::string& bytes) {
    journal_.reset();
    std::filesystem::remove(folder_.file("journal.db-shm"));
    write_file(folder_.file(), base);
    write_file(folder_.file("journal.db-wal"), bytes);
    return open();
  };
  for (size_t cut = 0; cut <= log.size(); cut += 517) {
    EXPECT_EQ(start_with(log.substr(0, cut)), "") << cut;
    size_t whole = cut < 32 ? 0 : (cut - 32) / kFrame;
    EXPECT_EQ(rows_.size(), static_cast<size_t>(std::ranges::count_if(ends, [&](size_t end) { return end <= whole; })));
  }
  for (size_t frame = 0; frame < frames; ++frame) {
    std::string damaged = log;
    damaged[32 + frame * kFrame + 1000] ^= 1;
    bool in_last = frame >= ends[4];
    EXPECT_EQ(start_with(damaged) == "", in_last) << frame << " of " << frames;
    if (in_last) {
      EXPECT_EQ(rows_.size(), 5u);
      continue;
    }
    EXPECT_EQ(read_file(folder_.file("journal.db-wal")), damaged);
    EXPECT_EQ(read_file(folder_.file()), base);
  }
  std::string headless = log;
  headless[17] ^= 1;
  EXPECT_THAT(start_with(headless), HasSubstr("is damaged"));
}

TEST_F(JournalTest, AFullDiskTakesNothingAndWorksAgainWhenThereIsRoom) {
  must_open();
  must_add("one");
  for (bool is_quota : {false, true}) {
    for (int64_t room : {0, 100, 5'000}) {
      test_support::set_faults({.room = room, .is_quota = is_quota});
      ASSERT_EQ(add("two"), Journal::Written::kFull) << room;
      EXPECT_EQ(journal_->info().condition, Condition::kFull);
      EXPECT_EQ(journal_->state().version, 1u);
    }
  }
  test_support::set_faults({});
  must_add("two");
  EXPECT_EQ(journal_->info().condition, Condition::kWriting);
  kill_and_open();
  must_open();
  EXPECT_EQ(rows_, (Rows{{1, "one"}, {2, "two"}}));
}

class FailingJournal : public JournalTest, public testing::WithParamInterface<test_support::Faults> {
 protected:
  void rebuild() {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    Rows all = expected_;
    EachRow rows = [all](const VisitRow& visit) {
      for (const auto& [uid, content] : all) {
        if (absl::Status put = visit({.uid = uid, .version = uid, .content = content}); !put.ok()) return put;
      }
      return absl::OkStatus();
    };
    journal_->rebuild(rows, [&] {
      std::lock_guard lock(mutex);
      done = true;
      changed.notify_one();
    });
    if (heal_) {
      // Not before a try has failed.
      while (test_support::faults_so_far() == faults_before_) std::this_thread::yield();
      test_support::set_faults({});
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
    journal_->take_rebuilt();
  }

  Rows expected_;
  bool heal_ = false;
  uint64_t faults_before_ = 0;
};

TEST_P(FailingJournal, TakesNothingUntilAllOfItStandsInANewFile) {
  must_open();
  must_add("one");
  must_add("two");
  expected_ = {{1, "one"}, {2, "two"}};
  test_support::set_faults(GetParam());
  ASSERT_EQ(add("three"), Journal::Written::kFailed);
  EXPECT_TRUE(journal_->is_failed());
  EXPECT_EQ(journal_->info().condition, Condition::kFailed);
  faults_before_ = test_support::faults_so_far();
  heal_ = !GetParam().once;
  rebuild();
  EXPECT_FALSE(journal_->is_failed());
  EXPECT_EQ(journal_->info().condition, Condition::kWriting);
  must_add("three again");
  kill_and_open();
  must_open();
  EXPECT_EQ(rows_, (Rows{{1, "one"}, {2, "two"}, {3, "three again"}}));
  auto history = HistoryReader::open(journal_->path());
  ASSERT_TRUE(history.ok());
  EXPECT_EQ(history->list(0, 10)->size(), 3u);
}

// The flush comes when the record stands whole in the log.
TEST_P(FailingJournal, WhatWasRefusedIsNotThereAfterAStart) {
  must_open();
  must_add("one");
  test_support::set_faults(GetParam());
  ASSERT_EQ(add("two"), Journal::Written::kFailed);
  kill_and_open();
  test_support::set_faults({});
  must_open();
  EXPECT_EQ(rows_, (Rows{{1, "one"}}));
}

INSTANTIATE_TEST_SUITE_P(Faults, FailingJournal,
                         testing::Values(test_support::Faults{.fail_write = 1}, test_support::Faults{.fail_write = 3},
                                         test_support::Faults{.fail_flush = 1},
                                         test_support::Faults{.fail_write = 2, .once = true},
                                         test_support::Faults{.fail_flush = 1, .once = true}));

TEST_F(JournalTest, APowerCutTakesWhatWasNotFlushedAndNothingElse) {
  test_support::set_faults({.power_cut = true});
  must_open();
  must_add("one");
  must_add("two");
  kill_and_open();
  test_support::cut_power();
  must_open();
  EXPECT_EQ(rows_, (Rows{{1, "one"}, {2, "two"}}));
  test_support::set_faults({.power_cut = true, .skip_flush = true});
  must_add("three");
  kill_and_open();
  test_support::cut_power();
  must_open();
  EXPECT_EQ(rows_, (Rows{{1, "one"}, {2, "two"}}));
}

TEST_F(JournalTest, GoesOnWithAReplacementThatACrashCutShort) {
  must_open();
  must_add("one");
  journal_.reset();
  write_file(folder_.file("journal.db.new"), "half of one");
  must_open();
  EXPECT_FALSE(std::filesystem::exists(folder_.file("journal.db.new")));
  must_add("two");
  kill_and_open();
  // The new one is complete; the old one and its log still stand beside it.
  std::string old = read_file(folder_.file());
  std::string log = read_file(folder_.file("journal.db-wal"));
  must_open();
  journal_.reset();
  std::filesystem::rename(folder_.file(), folder_.file("journal.db.next"));
  write_file(folder_.file(), old);
  write_file(folder_.file("journal.db-wal"), log);
  must_open();
  EXPECT_EQ(rows_, (Rows{{1, "one"}, {2, "two"}}));
}

TEST_F(JournalTest, IsHandedOverAndTakenBackUnlessItHasChanged) {
  must_open();
  must_add("one");
  journal_->hand_over();
  EXPECT_EQ(journal_->info().condition, Condition::kHandedOver);
  {
    auto other = Journal::open({.directory = folder_.state()});
    ASSERT_TRUE(other.ok());
    EXPECT_THAT(std::string(journal_->take_back(true).message()), HasSubstr("in use by process"));
    ASSERT_TRUE((*other)->load([](const Row&) { return absl::OkStatus(); }, sound).ok());
  }
  ASSERT_EQ(journal_->take_back(true), absl::OkStatus());
  must_add("two");
  journal_->hand_over();
  {
    auto other = Journal::open({.directory = folder_.state()});
    ASSERT_TRUE((*other)->load([](const Row&) { return absl::OkStatus(); }, sound).ok());
    State state = (*other)->state();
    ++state.version;
    ASSERT_EQ((*other)->commit(state), Journal::Written::kYes);
  }
  EXPECT_THAT(std::string(journal_->take_back(true).message()), HasSubstr("has gone on with it"));
  EXPECT_TRUE(journal_->is_handed_over());
}

TEST_F(JournalTest, HistoryHasSoManyVersions) {
  must_open({.history = {.versions = 3}});
  for (int i = 0; i < 8; ++i) must_add("r");
  auto history = HistoryReader::open(journal_->path());
  ASSERT_TRUE(history.ok());
  EXPECT_EQ(*history->oldest(), 6u);
  EXPECT_EQ(history->list(0, 2)->front().version, 8u);
  EXPECT_EQ(history->list(7, 9)->size(), 1u);
  EXPECT_EQ(history->find("cp", 107)->value().version, 7u);
  EXPECT_FALSE(history->find("cp", 101)->has_value());
  EXPECT_EQ(*history->last_transaction_of("cp"), 108u);
  EXPECT_EQ(*history->last_transaction_of("other"), 0u);
}

TEST_F(JournalTest, HistoryIsOnlySoOld) {
  must_open({.history = {.age = std::chrono::hours(1)}});
  int64_t now = history_time_;
  history_time_ = now - std::chrono::nanoseconds(std::chrono::hours(2)).count();
  for (int i = 0; i < 5; ++i) must_add("r");
  history_time_ = now;
  must_add("r");
  auto history = HistoryReader::open(journal_->path());
  ASSERT_TRUE(history.ok());
  // As many go with a group as come with it, at least.
  EXPECT_GE(*history->oldest(), 5u);
}

TEST_F(JournalTest, TheLogStaysWithinItsLimit) {
  must_open();
  for (int i = 0; i < 300; ++i) must_add(std::string(600'000, 'x'));
  EXPECT_LT(std::filesystem::file_size(folder_.file("journal.db-wal")), size_t{120} << 20);
}

TEST(HistoryChanges, AreReadAsTheyWereWritten) {
  ChangeWriter writer;
  Row before{.uid = 9, .backend = 4, .version = 3, .create_time = 17, .update_time = -1, .content = "c", .bound = "b"};
  writer.add({.what = HistoryChange::What::kCreated, .uid = 12, .name = "web/s1"});
  writer.add({.what = HistoryChange::What::kUpdated, .kind = Kind::kServer, .uid = 9, .before = before});
  before.kind = Kind::kListener;
  writer.add({.what = HistoryChange::What::kDeleted, .kind = Kind::kListener, .uid = 9, .before = before});
  std::string bytes = writer.take();
  ChangeReader reader(bytes);
  auto created = reader.next();
  EXPECT_EQ(created->name, "web/s1");
  EXPECT_EQ(created->uid, 12u);
  auto updated = reader.next();
  EXPECT_EQ(updated->uid, 9u);
  EXPECT_EQ(updated->before.content, "c");
  EXPECT_EQ(updated->before.update_time, -1);
  auto deleted = reader.next();
  EXPECT_EQ(deleted->kind, Kind::kListener);
  EXPECT_EQ(deleted->before.bound, "b");
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.damaged());
  ChangeReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
  while (cut.next()) {
  }
  EXPECT_TRUE(cut.damaged());
}

}  // namespace
}  // namespace fairlead::journal
