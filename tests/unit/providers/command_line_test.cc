#include "providers/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fairlead::providers {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(CommandLine, IsSplitAtSpacesBeforeValuesAreFilledIn) {
  const auto words = expand_command("  run --ready-file  {ready_file} --name={name}! ",
                                    {{"ready_file", "/a folder/s1.ready"}, {"name", "s1"}});
  ASSERT_TRUE(words.ok()) << words.status();
  EXPECT_THAT(*words, ElementsAre("run", "--ready-file", "/a folder/s1.ready", "--name=s1!"));
}

TEST(CommandLine, SaysWhichPlaceholderIsUnknownAndWhichAreKnown) {
  const auto words = expand_command("run {port}", {{"name", "s1"}, {"ready_file", "f"}});
  ASSERT_FALSE(words.ok());
  EXPECT_THAT(std::string(words.status().message()),
              testing::AllOf(HasSubstr("\"{port}\""), HasSubstr("{name}, {ready_file}")));
}

TEST(CommandLine, NothingIsNoCommand) { EXPECT_FALSE(expand_command(" \t", {}).ok()); }

TEST(CommandLine, BracesThatDoNotCloseAreText) { EXPECT_THAT(*expand_command("a{b c", {}), ElementsAre("a{b", "c")); }

TEST(CommandLine, AProgramWithASlashIsTakenAsItIs) {
  EXPECT_EQ(find_program("/bin/x"), "/bin/x");
  EXPECT_EQ(find_program("no-such-program-beside-this-test"), "no-such-program-beside-this-test");
}

}  // namespace
}  // namespace fairlead::providers
