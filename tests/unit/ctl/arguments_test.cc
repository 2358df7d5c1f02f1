#include "ctl/arguments.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<Option> kOptions = {
    {.name = "weight", .value = "N"},
    {.name = "label", .value = "KEY=VALUE", .repeatable = true},
    {.name = "wait"},
    {.name = "output", .value = "FORMAT", .letter = 'o'},
};

Result<Arguments> parse(std::vector<std::string> words) { return ArgumentParser(kOptions).parse(words, false); }

TEST(Arguments, ReadsOptionsAndOperandsInAnyOrder) {
  const auto arguments =
      parse({"--label=a=b", "web/s1", "--weight", "-1", "-ojson", "--label", "c=d", "--wait", "--", "--x"});
  ASSERT_TRUE(arguments.has_value()) << arguments.error().text;
  EXPECT_THAT(arguments->operands(), ElementsAre("web/s1", "--x"));
  EXPECT_THAT(arguments->values("label"), ElementsAre("a=b", "c=d"));
  EXPECT_EQ(arguments->value("weight"), "-1");
  EXPECT_EQ(arguments->value("output"), "json");
  EXPECT_TRUE(arguments->has("wait"));
  EXPECT_EQ(arguments->value("missing", "fallback"), "fallback");
  EXPECT_EQ(arguments->operand(7), "");
}

TEST(Arguments, TakesADashAsAnOperandAndAnEmptyValue) {
  const auto arguments = parse({"-", "--weight="});
  ASSERT_TRUE(arguments.has_value());
  EXPECT_THAT(arguments->operands(), ElementsAre("-"));
  EXPECT_TRUE(arguments->has("weight"));
}

TEST(Arguments, RefusesWhatItDoesNotKnow) {
  struct Case {
    std::vector<std::string> words;
    const char* error;
  };
  for (const Case& c : {Case{{"--wieght", "1"}, "unknown option --wieght"}, Case{{"-x"}, "unknown option -x"},
                        Case{{"--weight"}, "--weight needs a value: N"}, Case{{"--wait=yes"}, "--wait takes no value"},
                        Case{{"--weight", "1", "--weight=2"}, "--weight is given twice"}}) {
    const auto arguments = parse(c.words);
    ASSERT_FALSE(arguments.has_value()) << c.error;
    EXPECT_EQ(arguments.error().text, c.error);
    EXPECT_EQ(arguments.error().exit_status, kExitUsage);
  }
}

TEST(Arguments, StopAtTheFirstOperandWhereOnlyLeadingOnesCount) {
  std::vector<std::string> words = {"--weight", "5", "server", "--weight", "6"};
  const auto arguments = ArgumentParser(kOptions).parse(words, true);
  ASSERT_TRUE(arguments.has_value());
  EXPECT_EQ(arguments->value("weight"), "5");
  EXPECT_THAT(arguments->operands(), IsEmpty());
  EXPECT_THAT(words, ElementsAre("server", "--weight", "6"));
}

}  // namespace
}  // namespace fairlead::ctl
