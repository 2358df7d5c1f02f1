#include "http/method.h"

#include <gtest/gtest.h>

#include "http/status.h"

namespace fairlead::http {
namespace {

TEST(Method, IsCaseSensitiveAndUnknownOnesAreOther) {
  EXPECT_EQ(method_from("GET"), Method::kGet);
  EXPECT_EQ(method_from("HEAD"), Method::kHead);
  EXPECT_EQ(method_from("POST"), Method::kPost);
  EXPECT_EQ(method_from("PUT"), Method::kPut);
  EXPECT_EQ(method_from("DELETE"), Method::kDelete);
  EXPECT_EQ(method_from("CONNECT"), Method::kConnect);
  EXPECT_EQ(method_from("OPTIONS"), Method::kOptions);
  EXPECT_EQ(method_from("TRACE"), Method::kTrace);
  EXPECT_EQ(method_from("PATCH"), Method::kPatch);
  for (const char* other : {"get", "GETS", "FOO", "DELETF", ""}) EXPECT_EQ(method_from(other), Method::kOther) << other;
}

TEST(Method, SafeOnesAreIdempotentAndPostIsNeither) {
  EXPECT_TRUE(is_safe(Method::kGet));
  EXPECT_FALSE(is_safe(Method::kPut));
  for (const Method method : {Method::kGet, Method::kHead, Method::kOptions, Method::kPut, Method::kDelete}) {
    EXPECT_TRUE(is_idempotent(method));
  }
  for (const Method method : {Method::kPost, Method::kPatch, Method::kOther, Method::kConnect}) {
    EXPECT_FALSE(is_idempotent(method));
  }
}

TEST(Status, HasAReasonForAllThatWeSend) {
  for (const int status : {400, 404, 405, 408, 413, 414, 417, 421, 431, 500, 501, 502, 503, 504, 505, 508}) {
    EXPECT_NE(reason_phrase(status), "Unknown") << status;
  }
  EXPECT_EQ(reason_phrase(299), "Unknown");
}

TEST(Status, TellsWhatNeverHasABody) {
  for (const int status : {100, 101, 204, 304}) EXPECT_TRUE(never_has_body(status)) << status;
  for (const int status : {200, 205, 404}) EXPECT_FALSE(never_has_body(status)) << status;
}

}  // namespace
}  // namespace fairlead::http
