// Responses of a server: what it may send, and what becomes a 502.
#include "codec/http1_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "cut_heads.h"

namespace fairlead::codec {
namespace {

using namespace std::string_literals;
using http::BodyFraming;
using http::BodyKind;
using http::Method;

constexpr BodyFraming kNothing{};
constexpr BodyFraming kChunks{.kind = BodyKind::kChunked};
constexpr BodyFraming kRest{.kind = BodyKind::kUntilClose};
constexpr BodyFraming bytes(uint64_t length) { return {.kind = BodyKind::kLength, .length = length}; }

http::ResponseHead& scratch_head() {
  static http::ResponseHead head;
  return head;
}

std::string response(const std::string& status_line, const std::string& lines = "Content-Length: 5\r\n") {
  return status_line + "\r\n" + lines + "\r\n";
}
std::string ok(const std::string& lines) { return response("HTTP/1.1 200 OK", lines); }

ParseHead parse_for(ResponseContext context) {
  return [context](std::string_view text) { return parse_response_head(text, HeadLimits{}, context, scratch_head()); };
}

struct Refused {
  std::string name;
  std::string input;
  ResponseContext context = {};
};

void PrintTo(const Refused& row, std::ostream* out) { *out << row.name; }

class RefusedResponse : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedResponse, IsRefusedHoweverItIsCut) {
  EXPECT_TRUE(parse_cut_everywhere(parse_for(GetParam().context), GetParam().input).refused());
}

const std::string kSwitch = "Connection: upgrade\r\nUpgrade: websocket\r\n";

INSTANTIATE_TEST_SUITE_P(
    Catalogue, RefusedResponse,
    ::testing::Values(
        Refused{"S1_garbage", "garbage"}, Refused{"S1_http_0_9", "<html>"},
        Refused{"S1_http2_settings", "\0\0\x12\x04\0\0\0\0\0"s},
        Refused{"S1_http2_version", response("HTTP/2.0 200 OK")}, Refused{"S1_http2_short", response("HTTP/2 200")},
        Refused{"S1_lower_case", response("http/1.1 200 OK")}, Refused{"S1_status_99", response("HTTP/1.1 99 X")},
        Refused{"S1_status_099", response("HTTP/1.1 099 X")}, Refused{"S1_status_1000", response("HTTP/1.1 1000 X")},
        Refused{"S1_status_600", response("HTTP/1.1 600 X")}, Refused{"S1_status_2x0", response("HTTP/1.1 2x0 X")},
        Refused{"S1_status_missing", response("HTTP/1.1")}, Refused{"S1_two_spaces", response("HTTP/1.1  200 OK")},
        Refused{"S1_tab", response("HTTP/1.1\t200 OK")},
        Refused{"S1_empty_line_before", "\r\n" + response("HTTP/1.1 200 OK")},
        Refused{"S1_control_in_reason", response("HTTP/1.1 200 O\x01K")},
        Refused{"S1_bare_line_feed", "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n"},
        Refused{"S1_bare_line_feed_no_reason", "HTTP/1.1 200\n\n"},
        Refused{"S1_carriage_return_in_reason", response("HTTP/1.1 200 O\rK")},
        Refused{"S2_both_framings", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
        Refused{"S2_two_lengths", ok("Content-Length: 5\r\nContent-Length: 6\r\n")},
        Refused{"S2_length_plus", ok("Content-Length: +5\r\n")}, Refused{"S2_length_empty", ok("Content-Length:\r\n")},
        Refused{"S2_bare_line_feed", ok("X: y\nContent-Length: 5\r\n")}, Refused{"S2_nul", ok("X: a\0b\r\n"s)},
        // Not unfolded, refused.
        Refused{"S2_obs_fold", ok("X: a\r\n b\r\n")}, Refused{"S2_space_before_colon", ok("X : a\r\n")},
        Refused{"S2_underscore_twin", ok("Transfer_Encoding: chunked\r\n")},
        Refused{"S2_coding_unknown", ok("Transfer-Encoding: gzip\r\n")},
        Refused{"S2_coding_not_last", ok("Transfer-Encoding: chunked, gzip\r\n")},
        Refused{"S2_coding_in_1_0", response("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n")},
        Refused{"S2_connection_names_length", ok("Connection: content-length\r\nContent-Length: 5\r\n")},
        Refused{"S4_unasked_101", response("HTTP/1.1 101 X", kSwitch)},
        Refused{"S4_101_names_nothing",
                response("HTTP/1.1 101 X", "Connection: upgrade\r\n"),
                {.upgrade_asked = "websocket"}},
        Refused{"S4_101_to_another", response("HTTP/1.1 101 X", kSwitch), {.upgrade_asked = "websocket2, foo"}},
        Refused{"S4_101_to_one_more",
                response("HTTP/1.1 101 X", "Connection: upgrade\r\nUpgrade: websocket, foo\r\n"),
                {.upgrade_asked = "websocket"}},
        Refused{"S4_101_to_h2c",
                response("HTTP/1.1 101 X", "Connection: upgrade\r\nUpgrade: h2c\r\n"),
                {.upgrade_asked = "websocket"}},
        Refused{"S4_101_in_1_0", response("HTTP/1.0 101 X", kSwitch), {.upgrade_asked = "websocket"}},
        Refused{"S4_101_with_chunks",
                response("HTTP/1.1 101 X", kSwitch + "Transfer-Encoding: chunked\r\n"),
                {.upgrade_asked = "websocket"}},
        Refused{"S4_100_with_body", response("HTTP/1.1 100 Continue", "Content-Length: 5\r\n")},
        Refused{"S7_endless_head", ok("X: " + std::string(17'000, 'a'))}),
    [](const auto& row) { return "row_" + row.param.name; });

struct Accepted {
  std::string name;
  std::string input;
  int status;
  BodyFraming body;
  bool keep_alive = true;
  ResponseContext context = {};
};

void PrintTo(const Accepted& row, std::ostream* out) { *out << row.name; }

class AcceptedResponse : public ::testing::TestWithParam<Accepted> {};

TEST_P(AcceptedResponse, IsUnderstoodHoweverItIsCut) {
  const Accepted& row = GetParam();
  const std::string followed = row.input + "bytes behind";
  const HeadResult result = parse_cut_everywhere(parse_for(row.context), followed);
  ASSERT_TRUE(result.complete()) << cause_of(result);
  EXPECT_EQ(result.consumed, row.input.size());
  EXPECT_EQ(scratch_head().status, row.status);
  EXPECT_EQ(scratch_head().body, row.body);
  EXPECT_EQ(scratch_head().keep_alive, row.keep_alive);
}

INSTANTIATE_TEST_SUITE_P(
    Catalogue, AcceptedResponse,
    ::testing::Values(
        Accepted{"S1_usual", ok("Content-Length: 5\r\n"), 200, bytes(5)},
        Accepted{"S1_empty_reason", response("HTTP/1.1 200 "), 200, bytes(5)},
        Accepted{"S1_no_reason", response("HTTP/1.1 200"), 200, bytes(5)},
        Accepted{"S1_reason_in_utf8", response("HTTP/1.1 404 \xc3\xa4\t!"), 404, bytes(5)},
        Accepted{"S1_unknown_status", response("HTTP/1.1 599 X"), 599, bytes(5)},
        Accepted{"S1_minor_version", response("HTTP/1.7 200 OK"), 200, bytes(5)},
        Accepted{"S2_chunked", ok("Transfer-Encoding: Chunked\r\n"), 200, kChunks},
        Accepted{"S2_until_close", ok("X: y\r\n"), 200, kRest, false},
        Accepted{"S2_no_body", ok("Content-Length: 0\r\n"), 200, bytes(0)},
        Accepted{"S3_head", ok("Content-Length: 5\r\n"), 200, kNothing, true, {.method = Method::kHead}},
        Accepted{
            "S3_head_chunked", ok("Transfer-Encoding: chunked\r\n"), 200, kNothing, true, {.method = Method::kHead}},
        Accepted{"S3_head_no_length", ok(""), 200, kNothing, true, {.method = Method::kHead}},
        Accepted{"S3_204", response("HTTP/1.1 204 No Content", ""), 204, kNothing},
        // A body behind it is likely: the connection is not used again.
        Accepted{"S3_204_with_length", response("HTTP/1.1 204 No Content"), 204, kNothing, false},
        Accepted{"S3_204_with_zero", response("HTTP/1.1 204 X", "Content-Length: 0\r\n"), 204, kNothing},
        Accepted{"S3_304_with_length", response("HTTP/1.1 304 Not Modified"), 304, kNothing},
        Accepted{"S3_connect", ok(""), 200, kNothing, true, {.method = Method::kConnect}},
        Accepted{"S4_100", response("HTTP/1.1 100 Continue", ""), 100, kNothing},
        Accepted{"S4_102", response("HTTP/1.1 102 Processing", ""), 102, kNothing},
        Accepted{"S4_103", response("HTTP/1.1 103 X", "Link: </a>\r\n"), 103, kNothing},
        Accepted{"S4_101", response("HTTP/1.1 101 X", kSwitch), 101, kNothing, false, {.upgrade_asked = "websocket"}},
        Accepted{"S9_close", ok("Connection: close\r\nContent-Length: 5\r\n"), 200, bytes(5), false},
        Accepted{"S9_1_0", response("HTTP/1.0 200 OK"), 200, bytes(5), false},
        Accepted{"S9_1_0_keep_alive", response("HTTP/1.0 200 OK", "Connection: keep-alive\r\nContent-Length: 5\r\n"),
                 200, bytes(5)},
        Accepted{"S10_1_0_until_close", response("HTTP/1.0 200 OK", ""), 200, kRest, false},
        Accepted{"S4_101_to_one_of_several",
                 response("HTTP/1.1 101 X", kSwitch),
                 101,
                 kNothing,
                 false,
                 {.upgrade_asked = "foo/2, WebSocket"}},
        Accepted{
            "S11_200_to_upgrade", ok("Content-Length: 5\r\n"), 200, bytes(5), true, {.upgrade_asked = "websocket"}},
        Accepted{"E4_set_cookie", ok("Set-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n"), 200, bytes(5)},
        Accepted{"host_is_no_matter", ok("Host: a,b\r\nExpect: x\r\nContent-Length: 5\r\n"), 200, bytes(5)}),
    [](const auto& row) { return "row_" + row.param.name; });

TEST(ResponseHead, TellsTheServersKeepAliveTimeout) {
  RecordProperty("rows", "S9");
  const auto timeout_of = [](const std::string& value) {
    EXPECT_TRUE(parse_for({})(ok("Keep-Alive: " + value + "\r\nContent-Length: 0\r\n")).complete());
    return scratch_head().keep_alive_timeout_seconds;
  };
  EXPECT_EQ(timeout_of("timeout=5"), 5);
  EXPECT_EQ(timeout_of("max=100, Timeout = 60"), 60);
  EXPECT_EQ(timeout_of("max=100"), std::nullopt);
  EXPECT_EQ(timeout_of("timeout=x"), std::nullopt);
  EXPECT_EQ(timeout_of("timeout=99999999999"), std::nullopt);
  EXPECT_EQ(timeout_of(""), std::nullopt);
  const auto max_of = [&](const std::string& value) {
    (void)timeout_of(value);
    return scratch_head().keep_alive_max;
  };
  EXPECT_EQ(max_of("max=100, Timeout = 60"), 100);
  EXPECT_EQ(max_of("timeout=5, max=0"), 0);
  EXPECT_EQ(max_of("timeout=5, max=-1"), std::nullopt);
  EXPECT_EQ(max_of("timeout=5"), std::nullopt);
}

TEST(ResponseHead, ManyInterimHeadsAreHeadsOfTheirOwn) {
  RecordProperty("rows", "S4");
  const std::string stream =
      response("HTTP/1.1 103 X", "") + response("HTTP/1.1 100 X", "") + ok("Content-Length: 0\r\n");
  std::string_view rest = stream;
  std::vector<int> statuses;
  while (!rest.empty()) {
    const HeadResult result = parse_for({})(rest);
    ASSERT_TRUE(result.complete());
    statuses.push_back(scratch_head().status);
    rest.remove_prefix(result.consumed);
  }
  EXPECT_THAT(statuses, ::testing::ElementsAre(103, 100, 200));
}

TEST(ResponseNoise, AChangedByteNeverMakesTheOutcomeDependOnCuts) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string odd =
      " \r\n\t:,/\0\x7f\xff"
      "a0"s;
  const std::string base =
      ok("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nX-Y: z\r\nTransfer-Encoding: chunked\r\n");
  for (int round = 0; round < 1000; ++round) {
    std::string input = base;
    input[random() % input.size()] = odd[random() % odd.size()];
    SCOPED_TRACE(::testing::PrintToString(input));
    parse_cut_everywhere(parse_for({}), input);
  }
}

}  // namespace
}  // namespace fairlead::codec
