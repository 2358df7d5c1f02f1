// What an accepted request head means. What is accepted at all: tests/conformance.
#include "codec/http1_request.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::codec {
namespace {

using http::BodyFraming;
using http::BodyKind;
using http::HeaderId;
using http::Method;
using http::RequestHead;
using http::Version;

// The head lives in the test, its views in `text`, which the test keeps.
class RequestMeaning : public ::testing::Test {
 protected:
  const RequestHead& parse(std::string text) {
    text_ = std::move(text);
    const HeadResult result = parse_request_head(text_, HeadLimits{}, head_);
    EXPECT_TRUE(result.complete()) << (result.refused() ? result.refusal->cause : "incomplete");
    return head_;
  }
  const RequestHead& parse_lines(const std::string& lines) {
    return parse("POST / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n");
  }

 private:
  std::string text_;
  RequestHead head_;
};

TEST_F(RequestMeaning, OfAUsualRequest) {
  const RequestHead& head =
      parse("GET /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nX-Thing:  v w \r\nContent-Length: 12\r\n\r\n");
  EXPECT_EQ(head.method, Method::kGet);
  EXPECT_EQ(head.method_text, "GET");
  EXPECT_EQ(head.target, "/a/b?c=d");
  EXPECT_EQ(head.path, "/a/b");
  EXPECT_EQ(head.query, "?c=d");
  EXPECT_EQ(head.host, "example.com:8080");
  EXPECT_EQ(head.host_name, "example.com");
  EXPECT_EQ(head.version, Version::kHttp11);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.body, (BodyFraming{.kind = BodyKind::kLength, .length = 12}));
  ASSERT_EQ(head.headers.size(), 3);
  EXPECT_EQ(head.headers[1].name, "X-Thing");
  EXPECT_EQ(head.headers[1].value, "v w");
  EXPECT_FALSE(head.headers[1].copyable);
  EXPECT_TRUE(head.headers[2].copyable);
}

TEST_F(RequestMeaning, OfAnAbsoluteTargetIsPathAndHost) {
  EXPECT_EQ(parse("GET http://H:80/a?b HTTP/1.1\r\nHost: h\r\n\r\n").path, "/a");
  const RequestHead& head = parse("GET http://h:80?b HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "?b");
  EXPECT_EQ(head.host, "h:80");
  EXPECT_EQ(parse("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n").path, "*");
  EXPECT_EQ(parse("OPTIONS http://h/ HTTP/1.1\r\nHost: h\r\n\r\n").path, "/");
  EXPECT_EQ(parse("GET http://[::1]:80/ HTTP/1.0\r\n\r\n").host_name, "[::1]");
}

TEST_F(RequestMeaning, OfConnectionAndVersionIsWhetherItIsKept) {
  EXPECT_FALSE(parse_lines("Connection: close\r\n").keep_alive);
  EXPECT_FALSE(parse_lines("Connection: keep-alive, CLOSE\r\n").keep_alive);
  EXPECT_FALSE(parse_lines("Connection: keep-alive\r\nConnection: close\r\n").keep_alive);
  EXPECT_TRUE(parse_lines("Connection: x\r\n").keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n").keep_alive);
}

TEST_F(RequestMeaning, OfExpectNeedsABodyAndHttp11) {
  EXPECT_TRUE(parse_lines("Expect: 100-continue\r\nContent-Length: 1\r\n").expect_continue);
  EXPECT_TRUE(parse_lines("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n").expect_continue);
  EXPECT_FALSE(parse_lines("Expect: 100-continue\r\n").expect_continue);
  EXPECT_FALSE(parse_lines("Expect: 100-continue\r\nContent-Length: 0\r\n").expect_continue);
  EXPECT_FALSE(parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").expect_continue);
}

TEST_F(RequestMeaning, OfUpgradeIsOneAnnouncedListWithoutH2c) {
  const std::string connection = "Connection: Upgrade\r\n";
  EXPECT_EQ(parse_lines(connection + "Upgrade: websocket\r\n").upgrade, "websocket");
  EXPECT_EQ(parse_lines(connection + "Upgrade: a/1, b\r\n").upgrade, "a/1, b");
  EXPECT_EQ(parse_lines("Upgrade: websocket\r\n").upgrade, "") << "not announced";
  EXPECT_EQ(parse_lines(connection + "Upgrade: h2c\r\n").upgrade, "");
  EXPECT_EQ(parse_lines(connection + "Upgrade: websocket, H2C\r\n").upgrade, "");
  EXPECT_EQ(parse_lines(connection + "Upgrade: a\r\nUpgrade: b\r\n").upgrade, "") << "two lists";
  EXPECT_EQ(parse_lines(connection + "Upgrade: a b\r\n").upgrade, "") << "not a protocol";
  EXPECT_EQ(parse_lines(connection + "Upgrade:\r\n").upgrade, "");
  EXPECT_EQ(parse("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n").upgrade, "");
}

TEST_F(RequestMeaning, OfConnectionTokensIsHopByHop) {
  const RequestHead& head =
      parse_lines("Connection: x-one\r\nX-One: a\r\nX-Two: b\r\nx-one: c\r\nConnection: y\r\nY: d\r\n");
  const auto is_hop_by_hop = [&](size_t index) { return head.headers[index].hop_by_hop; };
  EXPECT_TRUE(is_hop_by_hop(2));
  EXPECT_FALSE(is_hop_by_hop(3));
  EXPECT_TRUE(is_hop_by_hop(4));
  EXPECT_TRUE(is_hop_by_hop(6));
}

TEST_F(RequestMeaning, OfMaxForwardsIsForOptionsAlone) {
  EXPECT_EQ(parse("OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 7\r\n\r\n").max_forwards, 7);
  EXPECT_EQ(parse_lines("Max-Forwards: 7\r\n").max_forwards, std::nullopt);
}

TEST_F(RequestMeaning, NothingOfAnEarlierRequestStays) {
  parse_lines("Connection: close, upgrade\r\nUpgrade: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n");
  const RequestHead& head = parse("GET / HTTP/1.1\r\nHost: i\r\n\r\n");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expect_continue);
  EXPECT_EQ(head.upgrade, "");
  EXPECT_EQ(head.query, "");
  EXPECT_EQ(head.body, BodyFraming{});
  EXPECT_EQ(head.headers.size(), 1);
  EXPECT_FALSE(head.headers.contains(HeaderId::kUpgrade));
}

}  // namespace
}  // namespace fairlead::codec
