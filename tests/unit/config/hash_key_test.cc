#include "config/hash_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::config {
namespace {

using Kind = HashKeyPart::Kind;
using testing::HasSubstr;

HashKey parsed(std::string_view text) {
  auto key = parse_hash_key(text);
  EXPECT_TRUE(key) << text << ": " << key.error();
  return key.value_or(HashKey());
}

std::string problem(std::string_view text) {
  auto key = parse_hash_key(text);
  return key ? "none" : key.error();
}

TEST(HashKey, FieldsAndTextsStandInTheirOrder) {
  EXPECT_EQ(parsed("{source}"), (HashKey{{Kind::kSource, ""}}));
  EXPECT_EQ(parsed("{path}{uri}"), (HashKey{{Kind::kPath, ""}, {Kind::kUri, ""}}));
  EXPECT_EQ(parsed("a{header:X-User}/{cookie:Sid}?{query:u:v}z"), (HashKey{{Kind::kText, "a"},
                                                                           {Kind::kHeader, "x-user"},
                                                                           {Kind::kText, "/"},
                                                                           {Kind::kCookie, "Sid"},
                                                                           {Kind::kText, "?"},
                                                                           {Kind::kQuery, "u:v"},
                                                                           {Kind::kText, "z"}}));
}

TEST(HashKey, DoubledBracesAreText) {
  EXPECT_EQ(parsed("{{{path}}}"), (HashKey{{Kind::kText, "{"}, {Kind::kPath, ""}, {Kind::kText, "}"}}));
  EXPECT_EQ(parsed("}}{{{path}"), (HashKey{{Kind::kText, "}{"}, {Kind::kPath, ""}}));
}

TEST(HashKey, SaysWhatIsWrong) {
  EXPECT_THAT(problem(""), HasSubstr("is not set; HASH needs it"));
  EXPECT_THAT(problem("path"), HasSubstr("\"path\" has no field; a key has {source}, {path}"));
  EXPECT_THAT(problem("{{path}}"), HasSubstr("has no field"));
  EXPECT_THAT(problem("{path"), HasSubstr("has a \"{\" alone"));
  EXPECT_THAT(problem("{path}}"), HasSubstr("has a \"}\" alone"));
  EXPECT_THAT(problem("{pa{th}"), HasSubstr("has a \"{\" alone"));
  EXPECT_THAT(problem("{}"), HasSubstr("\"{}\" is not known"));
  EXPECT_THAT(problem("{Path}"), HasSubstr("\"{Path}\" is not known; a field is {source}"));
  EXPECT_THAT(problem("{host}"), HasSubstr("\"{host}\" is not known"));
  EXPECT_THAT(problem("{header}"), HasSubstr("\"\" is no name of a header"));
  EXPECT_THAT(problem("{header:a b}"), HasSubstr("\"a b\" is no name of a header"));
  EXPECT_THAT(problem("{cookie:a;b}"), HasSubstr("\"a;b\" is no name of a cookie"));
  EXPECT_THAT(problem("{query:}"), HasSubstr("is no name of a query parameter"));
  EXPECT_THAT(problem("{query:a=b}"), HasSubstr("is no name of a query parameter"));
  EXPECT_THAT(problem(std::string(1'025, 'x')), HasSubstr("has 1025 bytes, at most 1024"));
  std::string many;
  for (int i = 0; i < 17; ++i) many += "{path}";
  EXPECT_THAT(problem(many), HasSubstr("has 17 fields, at most 16"));
}

}  // namespace
}  // namespace fairlead::config
