#include "config/route_actions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::config {
namespace {

TEST(ReplacePrefix, LeavesOneSlashBetween) {
  EXPECT_EQ(replace_prefix("/v1/x", "/v1", "/v2"), "/v2/x");
  EXPECT_EQ(replace_prefix("/v1/x", "/v1", "/v2/"), "/v2/x");
  EXPECT_EQ(replace_prefix("/v1/x", "/v1", "/"), "/x");
  EXPECT_EQ(replace_prefix("/v1", "/v1", "/v2"), "/v2");
  EXPECT_EQ(replace_prefix("/v1", "/v1", "/v2/"), "/v2/");
  EXPECT_EQ(replace_prefix("/v1", "/v1", "/"), "/");
  EXPECT_EQ(replace_prefix("/v1/", "/v1", "/v2"), "/v2/");
  EXPECT_EQ(replace_prefix("/x", "", "/v2"), "/v2/x");
  EXPECT_EQ(replace_prefix("/", "", "/v2"), "/v2/");
}

TEST(HeaderChanges, SetIsRemoveAndAdd) {
  const HeaderChanges changes =
      HeaderChanges::of({.remove = {"A"}, .set = {{"B", "1"}}, .add = {{"C", "2"}, {"C", "3"}}});
  EXPECT_THAT(changes.leave_out, testing::ElementsAre("A", "B"));
  EXPECT_EQ(changes.lines, "B: 1\r\nC: 2\r\nC: 3\r\n");
}

}  // namespace
}  // namespace fairlead::config
