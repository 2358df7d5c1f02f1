#include "base/quoted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

TEST(Quoted, EscapesWhatIsNotPrintableAndKeepsWhatIs) {
  struct Case {
    std::string text;
    std::string quoted;
  };
  for (const Case& c : {Case{"", "\"\""}, Case{"a b", "\"a b\""}, Case{"a\"\\", "\"a\\\"\\\\\""},
                        Case{"\n\t\x1b[31m", "\"\\n\\t\\u001b[31m\""}, Case{std::string("\0", 1), "\"\\u0000\""},
                        Case{"\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
                        Case{"\xe2\x80\xae"
                             "a",
                             "\"\\u202ea\""},
                        Case{"a\xff\xc3", "\"a\\ufffd\\ufffd\""}}) {
    EXPECT_EQ(base::quoted(c.text), c.quoted);
    EXPECT_EQ(quoted_excerpt(c.text), c.quoted);
  }
}

TEST(Quoted, AnExcerptIsShortAndEndsWithAWholeCharacter) {
  EXPECT_EQ(quoted_excerpt(std::string(64, 'x')), "\"" + std::string(64, 'x') + "\"");
  EXPECT_EQ(quoted_excerpt(std::string(65, 'x')), "\"" + std::string(64, 'x') + "…\"");
  EXPECT_EQ(quoted_excerpt(std::string(63, 'x') + "\xc3\xa9z"), "\"" + std::string(63, 'x') + "…\"");
  EXPECT_EQ(quoted_excerpt(std::string(1000, '\xff')).size(), quoted_excerpt(std::string(500, '\xff')).size());
}

TEST(FirstInvalidUtf8, IsWhereItStands) {
  EXPECT_EQ(first_invalid_utf8("a\xc3\xa9"), std::string_view::npos);
  EXPECT_EQ(first_invalid_utf8("a\xc3\xa9\xed\xa0\x80"), 3);
  EXPECT_EQ(first_invalid_utf8("\xc0\x80"), 0);
}

}  // namespace
}  // namespace fairlead::base
