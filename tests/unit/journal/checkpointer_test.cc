#include "journal/checkpointer.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "journal/database.h"
#include "temporary_folder.h"

namespace fairlead::journal {
namespace {

// A file whose log is written page by page, and the checkpointer told of it.
class CheckpointerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(database_.ok()) << database_.status();
    ASSERT_TRUE(database_->run("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").ok());
    ASSERT_TRUE(database_->run("CREATE TABLE rows (id INTEGER PRIMARY KEY, page BLOB)").ok());
    sqlite3_wal_hook(database_->handle(), note_frames, this);
    // The table stands in the file.
    ASSERT_EQ(sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr),
              SQLITE_OK);
  }
  static int note_frames(void* self, sqlite3*, const char*, int frames) {
    static_cast<CheckpointerTest*>(self)->frames_ = static_cast<uint32_t>(frames);
    return SQLITE_OK;
  }

  // Until the log has so many frames at least.
  void write_to(uint32_t frames) {
    while (frames_ < frames) {
      ASSERT_TRUE(database_->run("INSERT INTO rows (page) VALUES (randomblob(3000))").ok());
    }
  }
  // Once more to the same page.
  void write_again(uint32_t times) {
    for (uint32_t i = 0; i < times; ++i) {
      ASSERT_TRUE(database_->run("UPDATE rows SET page = randomblob(3000) WHERE id = 1").ok());
    }
  }
  std::string file() const { return read_file(path_); }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/journal.db";
  absl::StatusOr<Database> database_ = Database::open(path_, Database::Mode::kCreate);
  uint32_t frames_ = 0;
};

TEST_F(CheckpointerTest, ALittleIsLeftInTheLog) {
  write_to(Checkpointer::kFramesBegin / 2);
  const std::string before = file();
  {
    Checkpointer checkpointer(path_);
    checkpointer.log_is(frames_);
  }
  EXPECT_EQ(file(), before);
}

TEST_F(CheckpointerTest, WhatIsWorthItIsMergedBesideTheWriter) {
  write_to(Checkpointer::kFramesBegin);
  const std::string before = file();
  Checkpointer checkpointer(path_);
  checkpointer.log_is(frames_);
  while (file() == before) std::this_thread::yield();
  EXPECT_FALSE(checkpointer.leaves_rest_to_writer());
}

TEST_F(CheckpointerTest, TheRestOfALongLogIsTheWriters) {
  write_to(Checkpointer::kFramesLong);
  const std::string before = file();
  Checkpointer checkpointer(path_);
  checkpointer.log_is(frames_);
  while (file() == before) std::this_thread::yield();
  // What is written while it merges is left; where all was merged by then, the log has begun anew.
  write_again(Checkpointer::kFramesLittle / 4);
  checkpointer.log_is(frames_);
  if (frames_ >= Checkpointer::kFramesLong) {
    while (!checkpointer.leaves_rest_to_writer()) std::this_thread::yield();
    ASSERT_EQ(sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr),
              SQLITE_OK);
    write_again(1);
    checkpointer.log_is(frames_);
  }
  EXPECT_LT(frames_, Checkpointer::kFramesLittle);
  EXPECT_FALSE(checkpointer.leaves_rest_to_writer());
}

TEST_F(CheckpointerTest, ALogHasALimitWhateverIsLeft) {
  Checkpointer checkpointer("/proc/nothing/journal.db");
  checkpointer.log_is(Checkpointer::kFramesMax);
  EXPECT_FALSE(checkpointer.leaves_rest_to_writer());
  checkpointer.log_is(Checkpointer::kFramesMax + 1);
  EXPECT_TRUE(checkpointer.leaves_rest_to_writer());
}

}  // namespace
}  // namespace fairlead::journal
