#include "providers/state_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "temporary_folder.h"

namespace fairlead::providers {
namespace {

using testing::HasSubstr;

TEST(ReadyFile, TheAddressIsATextOrTheFirstOfAList) {
  EXPECT_EQ(*parse_ready_file(R"({"listen":"127.0.0.1:80","pid":7})"), "127.0.0.1:80");
  EXPECT_EQ(*parse_ready_file(R"({"listen":["[::1]:80","127.0.0.1:81"]})"), "[::1]:80");
}

TEST(ReadyFile, AnythingElseIsAnError) {
  for (const char* text : {"", "{", "[]", "{}", R"({"listen":[]})", R"({"listen":7})", R"({"listen":""})",
                           R"({"listen":{"a":1}})", R"({"listen":[7]})", R"({"listen":"127.0)"}) {
    EXPECT_FALSE(parse_ready_file(text).ok()) << text;
  }
}

TEST(StateDirectory, RemembersAndForgets) {
  const TemporaryFolder folder;
  const auto state = StateDirectory::open(folder.path() + "/state");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(state->records().empty());
  EXPECT_EQ(state->highest_number(), 0);
  ASSERT_TRUE(state->write_highest_number(17).ok());
  EXPECT_EQ(state->highest_number(), 17);
  const ProcessId process{4711, (1ull << 60) + 1};
  ASSERT_TRUE(state->write({"s1", process, "127.0.0.1:80"}).ok());
  ASSERT_EQ(state->records().size(), 1u);
  EXPECT_EQ(state->records()[0].name, "s1");
  EXPECT_EQ(state->records()[0].process, process);
  EXPECT_EQ(state->records()[0].address, "127.0.0.1:80");
  state->remove("s1", true);
  EXPECT_TRUE(state->records().empty());
}

TEST(StateDirectory, LeavesOutWhatIsNoRecord) {
  const TemporaryFolder folder;
  const auto state = StateDirectory::open(folder.path());
  ASSERT_TRUE(state.ok());
  folder.write("servers/s1.json", "{");
  folder.write("servers/s2.json", R"({"pid":"x","start":"1"})");
  folder.write("servers/s3.json.new", "{}");
  EXPECT_TRUE(state->records().empty());
}

TEST(StateDirectory, IsForOneProgramAtATime) {
  const TemporaryFolder folder;
  {
    const auto first = StateDirectory::open(folder.path());
    const auto second = StateDirectory::open(folder.path());
    ASSERT_TRUE(first.ok());
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use by another"));
  }
  EXPECT_TRUE(StateDirectory::open(folder.path()).ok());
}

TEST(StateDirectory, SaysWhereItCannotBeMade) {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", "");
  const auto state = StateDirectory::open(file);
  ASSERT_FALSE(state.ok());
  EXPECT_THAT(std::string(state.status().message()), HasSubstr(file));
}

}  // namespace
}  // namespace fairlead::providers
