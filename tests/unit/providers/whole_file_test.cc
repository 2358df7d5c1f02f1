#include "providers/whole_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "providers/state_directory.h"
#include "temporary_folder.h"

namespace fairlead::providers {
namespace {

using testing::HasSubstr;

TEST(WholeFile, ReplacesWhatWasThereAndLeavesNothingBeside) {
  const TemporaryFolder folder;
  const std::string path = folder.write("file", "a longer text than the next");
  ASSERT_TRUE(write_whole_file(path, "short").ok());
  EXPECT_EQ(read_file(path), "short");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(WholeFile, AnErrorNamesThePathAndWhy) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/no-folder/file";
  const absl::Status status = write_whole_file(path, "text");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot write " + path));
  EXPECT_THAT(std::string(status.message()), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace fairlead::providers
