// ExplainPick: what is asked of a worker, and what is refused before.
#include <gmock/gmock.h>

#include "management_fixture.h"

namespace fairlead::management {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class ExplainTest : public ManagementFixture {
 protected:
  void SetUp() override {
    ManagementFixture::SetUp();
    grpc::ClientContext context;
    v1::AddBackendRequest request;
    request.mutable_backend()->set_name("web");
    v1::AddBackendResponse response;
    ASSERT_TRUE(stub_->AddBackend(&context, request, &response).ok());
  }
  grpc::Status ask(const std::string& text) {
    v1::ExplainPickRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
    grpc::ClientContext context;
    answer_.Clear();
    return stub_->ExplainPick(&context, request, &answer_);
  }

  v1::ExplainPickResponse answer_;
};

TEST_F(ExplainTest, ARequestIsMadeOfItsParts) {
  ASSERT_TRUE(ask("backend: \"web\"").ok());
  EXPECT_EQ(answer_.reasons(0), "unix");
  EXPECT_EQ(answer_.reasons(1), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(ask(R"(backend: "web" source: "2001:db8::1" method: "PUT" host: "a.example" path: "/x?y=1"
                     headers { key: "Cookie" value: "a=b" })")
                  .ok());
  EXPECT_EQ(answer_.reasons(0), "2001:db8::1");
  EXPECT_EQ(answer_.reasons(1), "PUT /x?y=1 HTTP/1.1\r\nHost: a.example\r\nCookie: a=b\r\n\r\n");
  EXPECT_EQ(answer_.reasons(2), "");
  ASSERT_TRUE(ask(R"(backend: "web" sni: "A.Example" alpn: "h2" alpn: "acme-tls/1")").ok());
  EXPECT_EQ(answer_.reasons(2), "a.example h2 acme-tls/1");
}

TEST_F(ExplainTest, WhatMakesNoSenseIsRefused) {
  struct Row {
    const char* request;
    StatusCode code;
    const char* text;
  };
  const Row rows[] = {
      {"", StatusCode::INVALID_ARGUMENT, "target: is not set; name a backend or a listener"},
      {"backend: \"nobody\"", StatusCode::NOT_FOUND, "backend nobody: does not exist"},
      {"listener: \"nobody\"", StatusCode::NOT_FOUND, "listener nobody: does not exist"},
      {"backend: \"web\" source: \"somewhere\"", StatusCode::INVALID_ARGUMENT,
       "source: \"somewhere\" is no IP address"},
      {"backend: \"web\" source: \"10.0.0.1:80\"", StatusCode::INVALID_ARGUMENT, "is no IP address"},
      {R"(backend: "web" path: "/ HTTP/1.1\r\nX: y")", StatusCode::INVALID_ARGUMENT, "path: "},
      {R"(backend: "web" sni: "a\r\nb")", StatusCode::INVALID_ARGUMENT, "sni: "},
      {R"(backend: "web" alpn: "h2" alpn: "")", StatusCode::INVALID_ARGUMENT, "alpn[1]: has 0 bytes"},
      {R"(backend: "web" headers { key: "a\nb" value: "c" })", StatusCode::INVALID_ARGUMENT, "has a line break"},
      {"backend: \"web\" method: \"CONNECT\"", StatusCode::INVALID_ARGUMENT, "the request would be refused: connect"},
  };
  for (const Row& row : rows) {
    grpc::Status status = ask(row.request);
    EXPECT_EQ(status.error_code(), row.code) << row.request;
    EXPECT_THAT(status.error_message(), HasSubstr(row.text));
  }
}

}  // namespace
}  // namespace fairlead::management
