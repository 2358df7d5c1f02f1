#include "http/request_fields.h"

#include <gtest/gtest.h>

namespace fairlead::http {
namespace {

using Value = std::optional<std::string_view>;

TEST(QueryParameter, IsTheFirstOfItsName) {
  EXPECT_EQ(query_parameter("?a=1&b=2&a=3", "a"), Value("1"));
  EXPECT_EQ(query_parameter("?a=1&b=2", "b"), Value("2"));
  EXPECT_EQ(query_parameter("?ab=1&a=2", "a"), Value("2"));
  EXPECT_EQ(query_parameter("?x&a=1=2", "a"), Value("1=2"));
  EXPECT_EQ(query_parameter("?&&a=%20", "a"), Value("%20"));
}

TEST(QueryParameter, MayBeEmptyOrAbsent) {
  EXPECT_EQ(query_parameter("?a", "a"), Value(""));
  EXPECT_EQ(query_parameter("?a=&b", "a"), Value(""));
  EXPECT_EQ(query_parameter("?b=a", "a"), Value());
  EXPECT_EQ(query_parameter("?A=1", "a"), Value());
  EXPECT_EQ(query_parameter("?", "a"), Value());
  EXPECT_EQ(query_parameter("", "a"), Value());
}

class Cookies : public testing::Test {
 protected:
  void add(std::string_view name, std::string_view value) { headers_.push_back({.name = name, .value = value}); }
  HeaderList headers_;
};

TEST_F(Cookies, AreFoundInAnyField) {
  add("Host", "a");
  add("Cookie", "a=1; b=\"2\";c=3=4 ;\td=");
  add("X", "e=no");
  add("COOKIE", "e=5; a=6");
  EXPECT_EQ(cookie(headers_, "a"), Value("1"));
  EXPECT_EQ(cookie(headers_, "b"), Value("\"2\""));
  EXPECT_EQ(cookie(headers_, "c"), Value("3=4"));
  EXPECT_EQ(cookie(headers_, "d"), Value(""));
  EXPECT_EQ(cookie(headers_, "e"), Value("5"));
}

TEST_F(Cookies, HaveExactlyTheirName) {
  EXPECT_EQ(cookie(headers_, "a"), Value());
  add("Cookie", "A=1; ab=2; a; ; =3; x=a=4");
  EXPECT_EQ(cookie(headers_, "a"), Value());
}

}  // namespace
}  // namespace fairlead::http
