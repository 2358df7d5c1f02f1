#include "mirror/file_watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>

#include "threads/monitor.h"

namespace fairlead::mirror {
namespace {

using testing::HasSubstr;

class FileWatcherTest : public testing::Test {
 protected:
  FileWatcherTest() {
    std::string folder = (std::filesystem::temp_directory_path() / "watcher-XXXXXX").string();
    folder_ = mkdtemp(folder.data());
  }
  ~FileWatcherTest() override {
    watcher_.reset();
    std::filesystem::remove_all(folder_);
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  void watch() {
    watcher_.emplace(folder_ / "file", [this](absl::StatusOr<std::string> text) {
      threads::Monitor::Lock lock(mutex_);
      told_.push_back(text.ok() ? *text : "error: " + std::string(text.status().message()));
    });
  }
  std::string next() {
    threads::Monitor::Lock lock(mutex_);
    if (!lock.wait_for(absl::Seconds(30), [this] { return !told_.empty(); })) return "nothing";
    std::string text = std::move(told_.front());
    told_.pop_front();
    return text;
  }

  std::filesystem::path folder_;
  threads::Monitor mutex_;
  std::deque<std::string> told_;
  std::optional<FileWatcher> watcher_;
};

TEST_F(FileWatcherTest, TellsWhatChangesBehindALinkIntoAnotherFolder) {
  std::filesystem::create_directory(folder_ / "away");
  write("away/real", "one");
  std::filesystem::create_symlink("away/real", folder_ / "file");
  watch();
  EXPECT_EQ(next(), "one");
  write("away/real.new", "two");
  std::filesystem::rename(folder_ / "away/real.new", folder_ / "away/real");
  EXPECT_EQ(next(), "two");
  write("away/real", "three");
  // It may have been read while it was empty.
  std::string told = next();
  if (told.empty()) told = next();
  EXPECT_EQ(told, "three");
}

TEST_F(FileWatcherTest, TellsWhatIsThereAndEachChangeOnce) {
  write("file", "one");
  watch();
  EXPECT_TRUE(watcher_->status().ok());
  EXPECT_EQ(next(), "one");
  write("file", "two");
  EXPECT_EQ(next(), "two");
  // The same text, and another file, are no news.
  write("file", "two");
  write("other", "x");
  write("file.new", "three");
  std::filesystem::rename(folder_ / "file.new", folder_ / "file");
  EXPECT_EQ(next(), "three");
}

TEST_F(FileWatcherTest, AFileThatIsBeingWrittenIsNotRead) {
  write("file", "one");
  watch();
  EXPECT_EQ(next(), "one");
  {
    std::ofstream half(folder_ / "file");
    half << "half" << std::flush;
    write("other", "x");
    half << " and half";
  }
  EXPECT_EQ(next(), "half and half");
}

TEST_F(FileWatcherTest, AMissingFileIsToldAndFoundWhenItComes) {
  watch();
  EXPECT_THAT(next(), HasSubstr("cannot read " + (folder_ / "file").string()));
  write("file", "one");
  EXPECT_EQ(next(), "one");
  std::filesystem::remove(folder_ / "file");
  EXPECT_THAT(next(), HasSubstr("error: "));
  write("file", "two");
  EXPECT_EQ(next(), "two");
}

TEST_F(FileWatcherTest, ALinkThatIsSetAnewIsFollowed) {
  std::filesystem::create_directory(folder_ / "v1");
  std::filesystem::create_directory(folder_ / "v2");
  write("v1/file", "one");
  write("v2/file", "two");
  std::filesystem::create_symlink("v1", folder_ / "data");
  std::filesystem::create_symlink("data/file", folder_ / "file");
  watch();
  EXPECT_EQ(next(), "one");
  std::filesystem::create_symlink("v2", folder_ / "data.new");
  std::filesystem::rename(folder_ / "data.new", folder_ / "data");
  EXPECT_EQ(next(), "two");
}

TEST_F(FileWatcherTest, AFolderThatIsReplacedIsFoundAgain) {
  const std::filesystem::path whole = folder_;
  folder_ = whole / "sub";
  std::filesystem::create_directory(folder_);
  write("file", "one");
  watch();
  EXPECT_EQ(next(), "one");
  std::filesystem::rename(folder_, whole / "away");
  EXPECT_THAT(next(), HasSubstr("error: "));
  std::filesystem::create_directory(folder_);
  write("file", "two");
  EXPECT_EQ(next(), "two");
  folder_ = whole;
}

}  // namespace
}  // namespace fairlead::mirror
