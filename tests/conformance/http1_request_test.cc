// Requests: the catalogue of what the world sends, row by row. Where the RFCs leave a choice, ours stands beside the
// row.
#include "codec/http1_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "cut_heads.h"

namespace fairlead::codec {
namespace {

using namespace std::string_literals;

struct Row {
  std::string name;  // Begins with the row's number.
  std::string input;
  // 0: accepted. Otherwise the status of the refusal.
  int status;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

// A request whose first line is given.
std::string line(const std::string& request_line) { return request_line + "\r\nHost: h\r\n\r\n"; }
// A request with these lines behind Host.
std::string with(const std::string& lines) { return "POST / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n\r\n"; }
// A request with these header lines only.
std::string only(const std::string& lines) { return "GET / HTTP/1.1\r\n" + lines + "\r\n\r\n"; }

std::string many_headers(int count) {
  std::string text = "Host: h";
  for (int i = 1; i < count; ++i) text += "\r\nX-" + std::to_string(i) + ": v";
  return text;
}

std::vector<Row> request_line_rows() {
  return {
      {"1_two_spaces", line("GET  / HTTP/1.1"), 400},
      {"1_two_spaces_before_version", line("GET /  HTTP/1.1"), 400},
      {"1_space_behind_version", line("GET / HTTP/1.1 "), 400},
      {"1_space_before_method", line(" GET / HTTP/1.1"), 400},
      {"1_one_space", line("GET / HTTP/1.1"), 0},
      {"2_tab_behind_method", line("GET\t/ HTTP/1.1"), 400},
      {"2_tab_before_version", line("GET /\tHTTP/1.1"), 400},
      {"3_space_in_target", line("GET /a b HTTP/1.1"), 400},
      {"3_space_in_query", line("GET /a?b c HTTP/1.1"), 400},
      {"3_encoded_space", line("GET /a%20b HTTP/1.1"), 0},
      {"4_fragment", line("GET /a#b HTTP/1.1"), 400},
      {"4_fragment_behind_query", line("GET /a?b#c HTTP/1.1"), 400},
      {"4_fragment_behind_authority", "GET http://h#c HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"4_encoded_hash", line("GET /a%23b HTTP/1.1"), 0},
      {"5_no_leading_slash", line("GET admin HTTP/1.1"), 400},
      {"5_query_alone", line("GET ?a HTTP/1.1"), 400},
      {"5_begins_like_a_scheme", line("GET httpx HTTP/1.1"), 400},
      {"6_get_asterisk", line("GET * HTTP/1.1"), 400},
      {"7_options_asterisk", line("OPTIONS * HTTP/1.1"), 0},
      {"7_options_asterisk_and_more", line("OPTIONS *a HTTP/1.1"), 400},
      {"8_authority_form", line("GET host:443 HTTP/1.1"), 400},
      {"8_authority_form_of_one_letter", line("GET h:443 HTTP/1.1"), 400},
      {"9_absolute_form", line("GET http://h/a HTTP/1.1"), 0},
      {"9_absolute_form_upper_case", line("GET HTTP://H/a HTTP/1.1"), 0},
      {"9_absolute_form_default_port", line("GET http://h:80/a HTTP/1.1"), 0},
      {"9_absolute_form_https", "GET https://h/ HTTP/1.1\r\nHost: h:443\r\n\r\n", 0},
      {"9_absolute_form_without_path", line("GET http://h HTTP/1.1"), 0},
      {"9_absolute_form_with_query_only", line("GET http://h?q=1 HTTP/1.1"), 0},
      {"9_absolute_form_without_host", "GET http://h/ HTTP/1.1\r\n\r\n", 400},
      {"9_absolute_form_without_host_in_1_0", "GET http://h/ HTTP/1.0\r\n\r\n", 0},
      {"9_absolute_form_without_authority", line("GET http:///a HTTP/1.1"), 400},
      {"9_absolute_form_other_scheme", line("GET ftp://h/ HTTP/1.1"), 400},
      {"9_absolute_form_broken_scheme", line("GET http:/h/ HTTP/1.1"), 400},
      // Row 10: not the target wins, but nobody.
      {"10_absolute_form_other_host", line("GET http://other/ HTTP/1.1"), 400},
      {"10_absolute_form_other_port", line("GET http://h:8080/ HTTP/1.1"), 400},
      {"10_absolute_form_port_of_other_scheme", line("GET https://h:80/ HTTP/1.1"), 400},
      // Row 11: not stripped, refused.
      {"11_userinfo", line("GET http://u:p@h/ HTTP/1.1"), 400},
      {"11_empty_userinfo", line("GET http://@h/ HTTP/1.1"), 400},
      {"12_connect", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405},
      {"13_trace", line("TRACE / HTTP/1.1"), 405},
      {"14_unknown_method", line("FOO / HTTP/1.1"), 0},
      {"14_lower_case_method", line("get / HTTP/1.1"), 0},
      {"14_method_with_punctuation", line("M-SEARCH / HTTP/1.1"), 0},
      {"14_method_not_a_token", line("GE(T / HTTP/1.1"), 400},
      {"14_no_method", line(" / HTTP/1.1"), 400},
      {"15_method_of_32_bytes", line(std::string(32, 'A') + " / HTTP/1.1"), 0},
      // Row 15: 501 of the two, for the token could be valid.
      {"15_method_of_33_bytes", line(std::string(33, 'A') + " / HTTP/1.1"), 501},
      {"15_method_of_100_kB", std::string(100'000, 'A'), 501},
      {"17_non_ascii_target", line("GET /\xc3\xa4 HTTP/1.1"), 400},
      {"17_non_ascii_query", line("GET /?\xc3\xa4 HTTP/1.1"), 400},
      {"17_delete_in_target", line("GET /\x7f HTTP/1.1"), 400},
      {"18_nul_in_target", line("GET /\0 HTTP/1.1"s), 400},
      {"18_nul_in_query", line("GET /?\0 HTTP/1.1"s), 400},
      {"18_control_in_target", line("GET /a\x01 HTTP/1.1"), 400},
      {"19_overlong_utf8", line("GET /\xc0\xaf HTTP/1.1"), 400},
      // Row 20: 400 of the two. A query is data; %00 in it stays what it is.
      {"20_encoded_nul_in_path", line("GET /a%00b HTTP/1.1"), 400},
      {"20_encoded_nul_behind_other", line("GET /a%2%00 HTTP/1.1"), 400},
      {"20_encoded_nul_in_query", line("GET /a?b=%00 HTTP/1.1"), 0},
      {"20_encoded_percent_and_zeros", line("GET /a%2500 HTTP/1.1"), 0},
      {"21_encoded_line_end", line("GET /a%0d%0aX:%20y HTTP/1.1"), 0},
      // Row 22: 400 of the two in the path; browsers send it as it is in the query.
      {"22_backslash_in_path", line("GET /a\\b HTTP/1.1"), 400},
      {"22_backslash_in_query", line("GET /a?b=\\ HTTP/1.1"), 0},
      {"22_what_browsers_do_not_encode", line("GET /a|b'?c={d}&e=[f]^`\" HTTP/1.1"), 0},
      {"23_version_9_9", line("GET / HTTP/9.9"), 505},
      {"23_version_2_0", line("GET / HTTP/2.0"), 505},
      {"23_version_0_9", line("GET / HTTP/0.9"), 505},
      // RFC 9110 section 2.5: a higher minor version is to be read as our highest.
      {"23_version_1_2", line("GET / HTTP/1.2"), 0},
      {"24_version_01_1", line("GET / HTTP/01.1"), 400},
      {"24_version_1_10", line("GET / HTTP/1.10"), 400},
      {"24_version_1", line("GET / HTTP/1"), 400},
      {"24_version_1_x", line("GET / HTTP/1.x"), 400},
      {"25_lower_case_version", line("GET / http/1.1"), 400},
      {"25_other_protocol", line("GET / HTTPS/1.1"), 400},
      {"26_no_version", "GET /\r\n", 400},
      {"26_no_version_but_space", "GET / \r\n", 400},
      // Row 27: one is ignored, two are not.
      {"27_one_empty_line", "\r\n" + line("GET / HTTP/1.1"), 0},
      {"27_two_empty_lines", "\r\n\r\n" + line("GET / HTTP/1.1"), 400},
      {"27_empty_line_of_line_feed", "\n" + line("GET / HTTP/1.1"), 400},
      {"27_empty_line_of_carriage_return", "\r" + line("GET / HTTP/1.1"), 400},
      {"28_bare_line_feed_ends_request_line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
      {"29_carriage_return_ends_request_line", "GET / HTTP/1.1\rHost: h\r\n\r\n", 400},
      {"50_http2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"51_tls_hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
  };
}

std::vector<Row> header_rows() {
  return {
      {"28_bare_line_feed_ends_header", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
      {"28_bare_line_feed_ends_head", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
      {"29_carriage_return_ends_header", "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 400},
      {"29_carriage_return_ends_head", "GET / HTTP/1.1\r\nHost: h\r\n\rX", 400},
      {"30_bare_carriage_return_in_value", with("X: a\rb"), 400},
      {"31_obs_fold", with("X: a\r\n b"), 400},
      {"31_obs_fold_by_tab", with("X: a\r\n\tb"), 400},
      {"32_space_before_first_header", only(" X: y\r\nHost: h"), 400},
      {"33_space_before_colon", with("X : y"), 400},
      {"33_tab_before_colon", with("X\t: y"), 400},
      {"34_empty_name", with(": x"), 400},
      {"35_no_colon", with("abc"), 400},
      {"36_name_not_a_token", with("a(b): x"), 400},
      {"36_name_with_quote", with("a\"b: x"), 400},
      {"36_name_of_all_token_characters", with("!#$%&'*+-.^_`|~09AZaz: x"), 0},
      {"37_non_ascii_name", with("\xc3\xa4: x"), 400},
      {"38_nul_in_value", with("X: a\0b"s), 400},
      {"38_nul_in_name", with("X\0: b"s), 400},
      {"39_tab_in_value", with("X: a\tb"), 0},
      {"39_whitespace_around_value", with("X: \t a \t"), 0},
      {"39_no_whitespace_before_value", with("X:a"), 0},
      {"40_obs_text_in_value", with("X: \x80\xff"), 0},
      {"40_empty_value", with("X:"), 0},
      {"42_100_headers", only(many_headers(100)), 0},
      {"42_101_headers", only(many_headers(101)), 431},
      {"42_10000_headers", only(many_headers(10'000)), 431},
      // Row 43: refused, and likewise for all other names that we give a meaning.
      {"43_content_length_twin", with("Content_Length: 5"), 400},
      {"43_transfer_encoding_twin", with("transfer_encoding: chunked"), 400},
      {"43_half_twin", with("X_Forwarded-For: ::1"), 400},
      {"43_other_underscore", with("My_Header: 5"), 0},
      {"44_no_host", only("X: y"), 400},
      {"44_no_host_in_1_0", "GET / HTTP/1.0\r\n\r\n", 0},
      {"45_two_hosts", only("Host: a\r\nHost: b"), 400},
      {"46_two_equal_hosts", only("Host: a\r\nHost: a"), 400},
      {"47_empty_host", only("Host:"), 400},
      {"47_host_of_port_only", only("Host: :80"), 400},
      {"48_host_list", only("Host: a,b"), 400},
      {"48_host_with_space", only("Host: a b"), 400},
      {"49_host_with_path", only("Host: h/path"), 400},
      {"49_host_with_userinfo", only("Host: u@h"), 400},
      {"49_host_with_bad_port", only("Host: h:8x"), 400},
      {"49_host_with_large_port", only("Host: h:65536"), 400},
      {"49_host_with_two_ports", only("Host: h:1:2"), 400},
      {"49_host_with_a_bad_escape", only("Host: a%zz"), 400},
      {"49_host_with_half_an_escape", only("Host: a%4:80"), 400},
      {"49_host_of_a_percent_sign", only("Host: %"), 400},
      {"49_host_non_ascii", only("Host: \xc3\xa4"), 400},
      {"49_host_too_long", only("Host: " + std::string(256, 'a')), 400},
      {"49_host_open_bracket", only("Host: [::1"), 400},
      {"49_host_behind_bracket", only("Host: [::1]a"), 400},
      {"49_host_not_an_address", only("Host: [::g]"), 400},
      {"49_host_with_port", only("Host: h:65535"), 0},
      {"49_host_with_empty_port", only("Host: h:"), 0},
      {"49_host_ip6", only("Host: [2001:db8::1]:80"), 0},
      {"49_host_of_255_bytes", only("Host: " + std::string(255, 'a')), 0},
      {"49_host_with_an_escape", only("Host: a%2Fb%e4:80"), 0},
      {"49_host_with_underscore", only("Host: my_host~1:80"), 0},
      {"E4_two_content_types", with("Content-Type: a/b\r\nContent-Type: c/d"), 0},
      {"E4_cookies", with("Cookie: a\r\nCookie: b"), 0},
  };
}

std::vector<Row> control_byte_rows() {
  std::vector<Row> rows;
  for (int c = 1; c < 0x20; ++c) {
    if (c == '\t') continue;
    rows.push_back({"39_control_" + std::to_string(c), with("X: a" + std::string(1, static_cast<char>(c)) + "b"), 400});
  }
  rows.push_back({"39_delete", with("X: a\x7f"), 400});
  return rows;
}

std::vector<Row> framing_rows() {
  return {
      {"53_length_and_coding", with("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400},
      {"53_coding_and_length", with("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400},
      {"55_two_lengths", with("Content-Length: 5\r\nContent-Length: 6"), 400},
      // Equal ones as well: nobody who means well sends them.
      {"55_two_equal_lengths", with("Content-Length: 5\r\nContent-Length: 5"), 400},
      {"56_length_list", with("Content-Length: 5, 5"), 400},
      {"57_length_plus", with("Content-Length: +5"), 400},
      {"58_length_minus", with("Content-Length: -1"), 400},
      {"59_length_hex", with("Content-Length: 0x5"), 400},
      {"60_length_empty", with("Content-Length:"), 400},
      {"60_length_whitespace", with("Content-Length:   "), 400},
      // Row 61: 400 of the two.
      {"61_length_leading_zeros", with("Content-Length: 005"), 400},
      {"61_length_two_zeros", with("Content-Length: 00"), 400},
      {"61_length_zero", with("Content-Length: 0"), 0},
      {"62_length_with_space", with("Content-Length: 1 0"), 400},
      {"63_length_2_to_64_and_5", with("Content-Length: 18446744073709551621"), 400},
      {"63_length_2_to_63", with("Content-Length: 9223372036854775808"), 400},
      {"63_length_2_to_63_less_1", with("Content-Length: 9223372036854775807"), 0},
      {"63_length_of_1000_digits", with("Content-Length: 1" + std::string(999, '0')), 400},
      {"64_length_10_to_18", with("Content-Length: 1000000000000000000"), 0},
      {"65_get_with_body", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 0},
      {"67_coding_unknown", with("Transfer-Encoding: xchunked"), 501},
      {"67_coding_gzip_chunked", with("Transfer-Encoding: gzip, chunked"), 501},
      {"68_coding_chunked_twice", with("Transfer-Encoding: chunked, chunked"), 400},
      {"68_two_codings", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400},
      {"68_two_different_codings", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), 400},
      {"69_chunked_not_last", with("Transfer-Encoding: chunked, gzip"), 400},
      {"70_coding_identity", with("Transfer-Encoding: identity"), 501},
      {"71_coding_empty", with("Transfer-Encoding:"), 400},
      {"71_coding_empty_element", with("Transfer-Encoding: , chunked"), 400},
      {"71_coding_trailing_comma", with("Transfer-Encoding: chunked,"), 400},
      {"72_coding_vertical_tab",
       with("Transfer-Encoding: \x0b"
            "chunked"),
       400},
      {"72_coding_form_feed", with("Transfer-Encoding: chunked\x0c"), 400},
      {"72_coding_nul", with("Transfer-Encoding: chunked\0"s), 400},
      {"72_coding_quoted", with("Transfer-Encoding: \"chunked\""), 400},
      {"72_coding_with_parameter", with("Transfer-Encoding: chunked;q=1"), 400},
      {"72_coding_upper_case", with("Transfer-Encoding: CHUNKED"), 0},
      {"72_coding_with_tabs", with("Transfer-Encoding:\tchunked\t"), 0},
      {"73_coding_in_1_0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"89_expect_continue", with("Expect: 100-Continue\r\nContent-Length: 5"), 0},
      // Row 90: 417 of the two.
      {"90_expect_foo", with("Expect: foo"), 417},
      {"90_expect_empty", with("Expect:"), 417},
      // Row 91: 400 of the two, and likewise for what others rely on.
      {"91_connection_names_content_length", with("Connection: content-length\r\nContent-Length: 5"), 400},
      {"91_connection_names_transfer_encoding", with("Connection: close, Transfer-Encoding"), 400},
      {"91_connection_names_host", with("Connection: host"), 400},
      {"91_connection_names_forwarded_for", with("Connection: X-Forwarded-For"), 400},
      {"91_connection_not_a_token", with("Connection: a b"), 400},
      {"91_connection_names_17", with("Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), 400},
      {"91_connection_names_16", with("Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"), 0},
      {"91_connection_names_other", with("Connection: x-secret, close\r\nX-Secret: 1"), 0},
      {"91_connection_empty_elements", with("Connection: , close ,,"), 0},
      {"91_connection_empty", with("Connection:"), 0},
      {"92_upgrade_with_body", with("Connection: upgrade\r\nUpgrade: foo\r\nContent-Length: 5"), 0},
      {"93_upgrade_h2c", with("Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA"), 0},
      {"94_pipelined", with("Content-Length: 0") + line("GET /second HTTP/1.1"), 0},
      {"max_forwards", "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n", 0},
      {"max_forwards_malformed", "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: -1\r\n\r\n", 400},
  };
}

std::vector<Row> all_rows() {
  std::vector<Row> all;
  for (const auto& rows : {request_line_rows(), header_rows(), control_byte_rows(), framing_rows()}) {
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

HeadResult parse(std::string_view bytes) {
  static http::RequestHead head;
  return parse_request_head(bytes, HeadLimits{}, head);
}

class RequestRow : public ::testing::TestWithParam<Row> {};

TEST_P(RequestRow, GetsItsAnswerHoweverItIsCut) {
  // Long inputs are decided early; their cuts behind the limit say nothing more.
  const std::string_view input = std::string_view(GetParam().input).substr(0, 20'000);
  const HeadResult result = parse_cut_everywhere(parse, input);
  if (GetParam().status == 0) {
    EXPECT_TRUE(result.complete()) << cause_of(result);
  } else {
    ASSERT_TRUE(result.refused());
    EXPECT_EQ(result.refusal->status, GetParam().status) << cause_of(result);
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, RequestRow, ::testing::ValuesIn(all_rows()),
                         [](const auto& row) { return "row_" + row.param.name; });

// What a listener accepts by name, its neighbours, and that the rest stays refused.
struct QuirkRow {
  std::string name;
  http::Quirk quirk;
  std::string input;
  // 0: accepted. Otherwise the status of the refusal.
  int status;
};

void PrintTo(const QuirkRow& row, std::ostream* out) { *out << row.name; }

class RelaxedRow : public ::testing::TestWithParam<QuirkRow> {};

TEST_P(RelaxedRow, GetsItsAnswerHoweverItIsCut) {
  static http::RequestHead head;
  HeadLimits limits;
  limits.quirks.insert(GetParam().quirk);
  const HeadResult result = parse_cut_everywhere(
      [&](std::string_view bytes) { return parse_request_head(bytes, limits, head); }, GetParam().input);
  if (GetParam().status == 0) {
    EXPECT_TRUE(result.complete()) << cause_of(result);
    EXPECT_EQ(result.consumed, GetParam().input.size());
  } else {
    ASSERT_TRUE(result.refused());
    EXPECT_EQ(result.refusal->status, GetParam().status) << cause_of(result);
  }
}

using http::Quirk;

INSTANTIATE_TEST_SUITE_P(
    Catalogue, RelaxedRow,
    ::testing::Values(
        QuirkRow{"28_line_feeds", Quirk::kBareLineFeed, "GET / HTTP/1.1\nHost: h\n\n", 0},
        QuirkRow{"28_some_line_feeds", Quirk::kBareLineFeed, "GET / HTTP/1.1\r\nHost: h\nX: y \n\r\n", 0},
        QuirkRow{"28_line_feed_ends_head", Quirk::kBareLineFeed, "GET / HTTP/1.1\r\nHost: h\r\n\n", 0},
        QuirkRow{"28_line_feed_and_obs_fold", Quirk::kBareLineFeed, "GET / HTTP/1.1\nHost: h\n x\n\n", 400},
        QuirkRow{"28_line_feed_in_target", Quirk::kBareLineFeed, "GET /\nHTTP/1.1\nHost: h\n\n", 400},
        QuirkRow{"28_line_feed_in_name", Quirk::kBareLineFeed, "GET / HTTP/1.1\nHo\nst: h\n\n", 400},
        QuirkRow{"29_carriage_return", Quirk::kBareLineFeed, "GET / HTTP/1.1\rHost: h\r\r", 400},
        QuirkRow{"30_carriage_return_in_value", Quirk::kBareLineFeed, "GET / HTTP/1.1\nHost: h\nX: a\rb\n\n", 400},
        QuirkRow{"28_two_lengths", Quirk::kBareLineFeed, with("Content-Length: 5\nContent-Length: 6"), 400},
        QuirkRow{"28_length_and_coding", Quirk::kBareLineFeed, with("Content-Length: 5\nTransfer-Encoding: chunked"),
                 400},
        QuirkRow{"43_twin", Quirk::kUnderscoreNames, with("Content_Length: 5\r\nX: y"), 0},
        QuirkRow{"43_twin_at_the_end", Quirk::kUnderscoreNames, with("transfer_encoding: chunked"), 0},
        QuirkRow{"43_twin_with_control", Quirk::kUnderscoreNames, with("Content_Length: \x01"), 400},
        QuirkRow{"43_bare_line_feed_behind", Quirk::kUnderscoreNames, with("Content_Length: 5\nX: y"), 400},
        QuirkRow{"27_empty_lines", Quirk::kEmptyLines, "\r\n\r\n\r\n" + line("GET / HTTP/1.1"), 0},
        QuirkRow{"27_line_feeds_before", Quirk::kEmptyLines, "\n" + line("GET / HTTP/1.1"), 400},
        QuirkRow{"27_carriage_returns_before", Quirk::kEmptyLines, "\r\r\n" + line("GET / HTTP/1.1"), 400}),
    [](const auto& row) { return "row_" + row.param.name; });

TEST(RelaxedRequest, LeavesOutWhatReadsAsAnother) {
  static http::RequestHead head;
  HeadLimits limits;
  limits.quirks.insert(Quirk::kUnderscoreNames);
  const std::string input = with("Content_Length: 5\r\nContent-Length: 6\r\nX_Forwarded_For: a\r\nMy_Name: b");
  ASSERT_TRUE(parse_request_head(input, limits, head).complete());
  EXPECT_EQ(head.body.length, 6);
  EXPECT_EQ(head.headers.size(), 3) << "Host, Content-Length, My_Name";
}

TEST(RelaxedRequest, LinesThatEndInLineFeedAreNotCopied) {
  static http::RequestHead head;
  HeadLimits limits;
  limits.quirks.insert(Quirk::kBareLineFeed);
  ASSERT_TRUE(parse_request_head("GET / HTTP/1.1\nHost: h\nX:  y \t\nZ: 1\r\n\n", limits, head).complete());
  ASSERT_EQ(head.headers.size(), 3);
  EXPECT_EQ(head.headers[1].value, "y");
  EXPECT_FALSE(head.headers[0].copyable || head.headers[1].copyable);
  EXPECT_TRUE(head.headers[2].copyable);
}

TEST(RequestLimits, TargetOverTheLimitIs414AndItsNeighbourPasses) {
  RecordProperty("rows", "16");
  const std::string rest = " HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const size_t size : {16384u, 100'000u}) {
    const HeadResult result = parse("GET /" + std::string(size, 'a') + rest);
    ASSERT_TRUE(result.refused());
    EXPECT_EQ(result.refusal->status, 414);
  }
  EXPECT_TRUE(parse("GET /" + std::string(16384 - 5 - rest.size(), 'a') + rest).complete());
  EXPECT_FALSE(parse("GET /" + std::string(16384 - 4 - rest.size(), 'a') + rest).complete());
}

TEST(RequestLimits, HeaderOverTheLimitIs431AndTheLimitItselfPasses) {
  RecordProperty("rows", "41");
  const auto request = [](size_t size) {
    const std::string begin = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    return begin + std::string(size - begin.size() - 4, 'a') + "\r\n\r\n";
  };
  EXPECT_TRUE(parse(request(16384)).complete());
  for (const size_t size : {16385u, 100'000u}) {
    const HeadResult result = parse(request(size));
    ASSERT_TRUE(result.refused());
    EXPECT_EQ(result.refusal->status, 431);
  }
}

TEST(RequestLimits, OutcomeAtTheLimitIsTheSameByteByByte) {
  http::RequestHead head;
  const auto parse_limited = [&](std::string_view bytes) {
    return parse_request_head(bytes, {.max_head_bytes = 64, .max_headers = 3}, head);
  };
  for (size_t padding = 0; padding < 80; ++padding) {
    SCOPED_TRACE(padding);
    const HeadResult target =
        parse_cut_everywhere(parse_limited, line("GET /" + std::string(padding, 'a') + " HTTP/1.1"));
    EXPECT_TRUE(target.complete() || target.refusal->status == 414 || target.refusal->status == 431);
    parse_cut_everywhere(parse_limited, with("X: " + std::string(padding, 'a')));
  }
}

TEST(RequestNoise, RandomBytesAreRefusedOrIncompleteHoweverCut) {
  RecordProperty("rows", "51 E1");
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::string noise(256, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    EXPECT_FALSE(parse_cut_everywhere(parse, noise).complete());
  }
}

TEST(RequestNoise, AChangedByteNeverMakesTheOutcomeDependOnCuts) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string bytes =
      " \r\n\t:,/\0\x7f\xff"
      "a0"s;
  for (const Row& row : all_rows()) {
    if (row.input.size() > 300) continue;
    for (int round = 0; round < 10; ++round) {
      std::string input = row.input;
      input[random() % input.size()] = bytes[random() % bytes.size()];
      SCOPED_TRACE(::testing::PrintToString(input));
      parse_cut_everywhere(parse, input);
    }
  }
}

}  // namespace
}  // namespace fairlead::codec
