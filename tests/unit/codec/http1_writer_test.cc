// What goes on to the other side, byte by byte as it is written.
#include "codec/http1_writer.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "codec/http1_request.h"
#include "codec/http1_response.h"

namespace fairlead::codec {
namespace {

using http::BodyKind;
using http::ForwardedPolicy;
using http::RequestHead;
using http::ResponseHead;
using http::Version;

const ViaLine kVia("fairlead");

ForwardedLines client(std::string_view address) {
  static std::array<char, kMaxForwardedLines> memory;
  return make_forwarded_lines(address, "http", memory);
}

std::string text_of(std::optional<size_t> size, const std::array<char, 65536>& out) {
  return size ? std::string(out.data(), *size) : "(did not fit)";
}

std::string forward(const std::string& request, const RequestOptions& options) {
  static RequestHead head;
  static std::array<char, 65536> out;
  const HeadResult result = parse_request_head(request, HeadLimits{}, head);
  if (!result.complete()) return "(not accepted)";
  return text_of(write_request_head(head, options, out), out);
}

// Lines behind Host in a POST, with no forwarding headers of ours.
std::string forward_lines(const std::string& lines) {
  const RequestOptions options{.forwarded = ForwardedPolicy::kKeep};
  const std::string written = forward("POST / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n", options);
  const std::string begin = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_TRUE(written.starts_with(begin) && written.ends_with("\r\n\r\n")) << written;
  return written.substr(begin.size(), written.size() - begin.size() - 2);
}

TEST(WriteRequest, GivesTheServerAUsualHead) {
  EXPECT_EQ(
      forward("GET /a?b HTTP/1.1\r\nUser-Agent: me\r\nHost: h:80\r\nAccept:*/*\r\nA: 1\r\nConnection: keep-alive\r\n"
              "B: 2\r\n\r\n",
              {.client = client("10.0.0.1"), .via = &kVia}),
      "GET /a?b HTTP/1.1\r\nHost: h:80\r\nUser-Agent: me\r\nAccept: */*\r\nA: 1\r\nB: 2\r\n"
      "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\nVia: 1.1 fairlead\r\n\r\n");
}

TEST(WriteRequest, MakesOriginFormOfAnAbsoluteTarget) {
  const RequestOptions options{.forwarded = ForwardedPolicy::kKeep};
  EXPECT_EQ(forward("GET http://H/a HTTP/1.1\r\nHost: h\r\n\r\n", options), "GET /a HTTP/1.1\r\nHost: H\r\n\r\n");
  EXPECT_EQ(forward("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n", options), "GET /?q HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(forward("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", options), "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
}

TEST(WriteRequest, PutsHostFirstAsItWasUnderstood) {
  const std::string usual = "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n";
  EXPECT_EQ(forward(usual, {}), usual) << "copied as it stands";
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nA: 1\r\nHost: h\r\n\r\n", {}), usual);
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost:h\r\nA: 1\r\n\r\n", {}), usual);
  EXPECT_EQ(forward("GET http://g/ HTTP/1.1\r\nHost: g\r\nA: 1\r\n\r\n", {}),
            "GET / HTTP/1.1\r\nHost: g\r\nA: 1\r\n\r\n");
}

TEST(WriteRequest, Speaks11ForA10Client) {
  EXPECT_EQ(forward("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                    {.forwarded = ForwardedPolicy::kKeep, .via = &kVia, .host_if_absent = "10.0.0.9:80"}),
            "GET / HTTP/1.1\r\nHost: 10.0.0.9:80\r\nVia: 1.0 fairlead\r\n\r\n");
}

TEST(WriteRequest, RemovesWhatIsForOneHop) {
  EXPECT_EQ(forward_lines("Connection: close, x-one\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n"
                          "TE: trailers\r\nTrailer: X\r\nX-Two: 2\r\nHTTP2-Settings: AA\r\n"),
            "X-Two: 2\r\n");
}

TEST(WriteRequest, WritesFramingFromWhatWasUnderstood) {
  EXPECT_EQ(forward_lines("Content-Length:\t5 \r\n"), "Content-Length: 5\r\n");
  EXPECT_EQ(forward_lines("Content-Length: 0\r\n"), "Content-Length: 0\r\n");
  EXPECT_EQ(forward_lines("transfer-encoding: CHUNKED\r\n"), "Transfer-Encoding: chunked\r\n");
  EXPECT_EQ(forward_lines(""), "");
}

TEST(WriteRequest, PassesExpectOnWithABodyOnly) {
  EXPECT_EQ(forward_lines("Expect: 100-continue\r\nContent-Length: 5\r\n"),
            "Content-Length: 5\r\nExpect: 100-continue\r\n");
  EXPECT_EQ(forward_lines("Expect: 100-continue\r\n"), "");
}

TEST(WriteRequest, PassesAnUpgradeOnButNeverH2c) {
  EXPECT_EQ(forward_lines("Upgrade: websocket\r\nX: y\r\nConnection: keep-alive, Upgrade\r\n"),
            "X: y\r\nConnection: upgrade\r\nUpgrade: websocket\r\n");
  EXPECT_EQ(forward_lines("Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"), "");
  EXPECT_EQ(forward_lines("Upgrade: websocket\r\n"), "") << "Connection did not announce it";
}

TEST(WriteRequest, CountsMaxForwardsDown) {
  const RequestOptions options{.forwarded = ForwardedPolicy::kKeep};
  EXPECT_EQ(forward("OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n", options),
            "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: 2\r\n\r\n");
  EXPECT_EQ(forward_lines("Max-Forwards: 3\r\n"), "Max-Forwards: 3\r\n");
}

TEST(WriteRequest, ForwardedHeadersFollowThePolicy) {  // Row E2.
  const std::string request =
      "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nForwarded: for=9.9.9.9\r\nX-Forwarded-Proto: https\r\n"
      "X-Forwarded-For: 2.2.2.2, 3.3.3.3\r\n\r\n";
  const std::string begin = "GET / HTTP/1.1\r\nHost: h\r\n";
  const auto with_policy = [&](ForwardedPolicy policy) {
    return forward(request, {.forwarded = policy, .client = client("::1")});
  };
  EXPECT_EQ(with_policy(ForwardedPolicy::kAppend),
            begin +
                "Forwarded: for=9.9.9.9\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, ::1\r\n"
                "X-Forwarded-Proto: http\r\n\r\n");
  EXPECT_EQ(with_policy(ForwardedPolicy::kReplace), begin + "X-Forwarded-For: ::1\r\nX-Forwarded-Proto: http\r\n\r\n");
  EXPECT_EQ(with_policy(ForwardedPolicy::kKeep),
            begin +
                "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=9.9.9.9\r\nX-Forwarded-Proto: https\r\n"
                "X-Forwarded-For: 2.2.2.2, 3.3.3.3\r\n\r\n");
}

TEST(WriteRequest, AppendsViaBehindTheOthers) {
  EXPECT_EQ(
      forward("GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 a\r\n\r\n", {.forwarded = ForwardedPolicy::kKeep, .via = &kVia}),
      "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 a\r\nVia: 1.1 fairlead\r\n\r\n");
}

struct ToClient {
  ResponseContext context = {};
  ResponseOptions options = {};
};

std::string answer(const std::string& response, ToClient to = {}) {
  static ResponseHead head;
  static std::array<char, 65536> out;
  const HeadResult result = parse_response_head(response, HeadLimits{}, to.context, head);
  if (!result.complete()) return "(not accepted)";
  return text_of(write_response_head(head, to.options, out), out);
}

TEST(WriteResponse, GivesTheClientAUsualHead) {
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nServer: s\r\nConnection: close\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\n"
                   "Set-Cookie: a\r\nSet-Cookie: b\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nServer: s\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n\r\n");
}

TEST(WriteResponse, KeepsTheServersReasonOrNone) {
  EXPECT_EQ(answer("HTTP/1.1 404 Gone fishing\r\nContent-Length: 0\r\n\r\n"),
            "HTTP/1.1 404 Gone fishing\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n");
}

TEST(WriteResponse, FramesAnewForTheClientsVersion) {  // Row S10.
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string until_close = "HTTP/1.0 200 OK\r\n\r\n";
  const ToClient old{.options = {.client_version = Version::kHttp10}};
  EXPECT_EQ(answer(chunked), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(answer(until_close), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(answer(chunked, old), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer(until_close, old), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", old),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
}

TEST(WriteResponse, TellsALengthWithoutABodyWhereOneWasTold) {  // Row S3.
  const ToClient head{.context = {.method = http::Method::kHead}};
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n"), "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n"), "HTTP/1.1 204 X\r\n\r\n");
}

TEST(WriteResponse, SaysCloseWhenTheClientsConnectionEnds) {
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", {.options = {.close = true}}),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST(WriteResponse, PassesInterimHeadsOnBare) {
  EXPECT_EQ(answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                   {.options = {.close = true, .date_line = "Date: D\r\n"}}),
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

TEST(WriteResponse, PassesAnUpgradeOn) {
  EXPECT_EQ(answer("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: k\r\n\r\n",
                   {.context = {.upgrade_asked = "websocket"}}),
            "HTTP/1.1 101 X\r\nSec-WebSocket-Accept: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2,h2c\r\nContent-Length: 0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 426 X\r\nConnection: upgrade\r\nUpgrade: foo\r\nContent-Length: 0\r\n\r\n"),
            "HTTP/1.1 426 X\r\nContent-Length: 0\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n");
}

TEST(WriteResponse, AddsADateWhereTheServerGaveNone) {
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", {.options = {.date_line = "Date: D\r\n"}}),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: D\r\n\r\n");
  EXPECT_EQ(
      answer("HTTP/1.1 200 OK\r\nDate: E\r\nContent-Length: 0\r\n\r\n", {.options = {.date_line = "Date: D\r\n"}}),
      "HTTP/1.1 200 OK\r\nDate: E\r\nContent-Length: 0\r\n\r\n");
}

TEST(WriteRequest, TellsTheClientInForwardedWhereThatIsChosen) {
  static RequestHead head;
  const auto written = [&](const std::string& lines, RequestOptions options, const char* address = "192.0.2.1") {
    const std::string input = "GET / HTTP/1.1\r\nHost: h:80\r\n" + lines + "\r\n";
    EXPECT_TRUE(parse_request_head(input, HeadLimits{}, head).complete());
    options.client = client(address);
    std::array<char, 1024> out;
    return std::string(out.data(), write_request_head(head, options, out).value());
  };
  const RequestOptions forwarded{.format = http::ForwardedFormat::kForwarded};
  EXPECT_EQ(written("", forwarded),
            "GET / HTTP/1.1\r\nHost: h:80\r\nForwarded: for=192.0.2.1;host=\"h:80\";proto=http\r\n\r\n");
  EXPECT_EQ(written("Forwarded: for=a\r\n", forwarded, "2001:db8::1"),
            "GET / HTTP/1.1\r\nHost: h:80\r\nForwarded: for=a\r\n"
            "Forwarded: for=\"[2001:db8::1]\";host=\"h:80\";proto=http\r\n\r\n");
  EXPECT_EQ(written("Forwarded: for=a\r\nX-Forwarded-For: b\r\n",
                    {.forwarded = http::ForwardedPolicy::kReplace, .format = http::ForwardedFormat::kBoth}, "unix"),
            "GET / HTTP/1.1\r\nHost: h:80\r\nForwarded: for=unknown;host=\"h:80\";proto=http\r\n"
            "X-Forwarded-For: unix\r\nX-Forwarded-Proto: http\r\n\r\n");
  EXPECT_EQ(written("X-Forwarded-For: b\r\nX-Forwarded-Proto: https\r\n", {.keep_proto = true}),
            "GET / HTTP/1.1\r\nHost: h:80\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: b, 192.0.2.1\r\n\r\n");
  EXPECT_EQ(written("Forwarded: for=a\r\nX-Forwarded-For: b\r\n", {.forwarded = http::ForwardedPolicy::kRemove}),
            "GET / HTTP/1.1\r\nHost: h:80\r\n\r\n");
  EXPECT_EQ(written("X: 1\r\n", {.forwarded = http::ForwardedPolicy::kKeep, .further_lines = "Y: 2\r\n"}),
            "GET / HTTP/1.1\r\nHost: h:80\r\nX: 1\r\nY: 2\r\n\r\n");
}

TEST(WriteLocalReply, IsAWholeResponse) {
  std::array<char, kMaxReplyBytes> out;
  const auto write = [&](const LocalReply& reply) {
    return std::string(out.data(), write_local_reply(reply, out).value());
  };
  EXPECT_EQ(write({.status = 400}),
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 16\r\nConnection: close\r\n\r\n"
            "400 Bad Request\n");
  EXPECT_EQ(write({.status = 503, .close = false, .head_only = true, .date_line = "Date: D\r\n"}),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 24\r\nDate: D\r\n\r\n");
  EXPECT_NE(write({.status = 405}).find("Allow: "), std::string::npos);
  EXPECT_EQ(write({.status = 302, .close = false, .body = {{"text/html", "<a>"}}, .further_lines = "Location: /x\r\n"}),
            "HTTP/1.1 302 Found\r\nContent-Type: text/html\r\nContent-Length: 3\r\nLocation: /x\r\n\r\n<a>");
  EXPECT_EQ(write({.status = 200, .close = false, .body = {{"text/html", ""}}}),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(write({.status = 204, .close = false}), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(WriteLocalReply, SaysItsLengthForEachStatus) {
  static ResponseHead head;
  std::array<char, kMaxReplyBytes> out;
  for (int status = 400; status < 600; ++status) {
    const std::string text(out.data(), write_local_reply({.status = status}, out).value());
    const HeadResult result = parse_response_head(text, HeadLimits{}, {}, head);
    ASSERT_TRUE(result.complete());
    EXPECT_EQ(head.body.length, text.size() - result.consumed) << status;
  }
}

TEST(Writers, NeverWritePastTheMemoryTheyGet) {
  static RequestHead request;
  static ResponseHead response;
  const std::string request_text =
      "POST /a?b HTTP/1.1\r\nHost: h\r\nA: 1\r\nB:2\r\nContent-Length: 5\r\nX-Forwarded-For: a\r\n\r\n";
  const std::string response_text = "HTTP/1.1 200 OK\r\nA: 1\r\nB:2\r\nContent-Length: 5\r\n\r\n";
  ASSERT_TRUE(parse_request_head(request_text, HeadLimits{}, request).complete());
  ASSERT_TRUE(parse_response_head(response_text, HeadLimits{}, {}, response).complete());
  const auto expect_bounded = [](const auto& write) {
    std::array<char, 1024> out;
    const size_t whole = write(std::span<char>(out)).value();
    for (size_t size = 0; size <= whole; ++size) {
      out.fill('#');
      EXPECT_EQ(write(std::span<char>(out).first(size)).has_value(), size == whole) << size;
      EXPECT_EQ(out[size], '#') << size;
    }
  };
  expect_bounded(
      [&](std::span<char> out) { return write_request_head(request, {.client = client("::1"), .via = &kVia}, out); });
  expect_bounded(
      [&](std::span<char> out) { return write_response_head(response, {.close = true, .via = &kVia}, out); });
  expect_bounded([&](std::span<char> out) { return write_local_reply({.status = 502}, out); });
}

TEST(ViaNames, FindsOurNameAsARecipientOnly) {
  const auto names_us = [](const std::string& value) {
    http::HeaderList headers;
    headers.push_back({.name = "Via", .value = "1.1 other", .id = http::HeaderId::kVia});
    headers.push_back({.name = "Via", .value = value, .id = http::HeaderId::kVia});
    return via_names(headers, "fairlead");
  };
  EXPECT_TRUE(names_us("1.1 fairlead"));
  EXPECT_TRUE(names_us("HTTP/1.1  Fairlead (comment)"));
  EXPECT_TRUE(names_us("1.0 a, 1.1\tfairlead , 1.1 b"));
  EXPECT_FALSE(names_us("1.1 fairlead2"));
  EXPECT_FALSE(names_us("1.1 a (fairlead)"));
  EXPECT_FALSE(names_us("fairlead"));
  EXPECT_FALSE(names_us(""));
}

}  // namespace
}  // namespace fairlead::codec
