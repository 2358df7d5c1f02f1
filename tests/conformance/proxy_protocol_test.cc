// PROXY headers: the catalogue's rows 158 to 166 and their valid neighbours, each whole and cut at every byte.
#include "codec/proxy_protocol.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <array>
#include <string>

#include "codec/crc32c.h"
#include "cut_heads.h"

namespace fairlead::codec {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kIp4 = "\x0a\x01\x02\x03\x0a\x00\x00\x01\x10\xe1\x00\x50"s;  // 10.1.2.3:4321 to 10.0.0.1:80
const std::string kIp6 = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01"s + std::string(15, '\0') + "\x01"s +
                         "\x10\xe1\x00\x50"s;  // [2001:db8::1]:4321 to [::1]:80

std::string number16(size_t number) { return {static_cast<char>(number >> 8), static_cast<char>(number)}; }

std::string v2(unsigned char command, unsigned char family, const std::string& rest) {
  return kSignature + static_cast<char>(command) + static_cast<char>(family) + number16(rest.size()) + rest;
}

std::string tlv(unsigned char type, const std::string& value) {
  return std::string(1, static_cast<char>(type)) + number16(value.size()) + value;
}

// The header with the right checksum in the last four bytes.
std::string with_checksum(std::string header) {
  const uint32_t sum = crc32c(header);
  for (size_t i = 0; i < 4; ++i) header[header.size() - 4 + i] = static_cast<char>(sum >> (24 - 8 * i));
  return header;
}

std::string text_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& ip4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &ip4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(ip4.sin_port));
  }
  if (address.ss_family != AF_INET6) return "unix";
  const auto& ip6 = reinterpret_cast<const sockaddr_in6&>(address);
  inet_ntop(AF_INET6, &ip6.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(ip6.sin6_port));
}

struct Good {
  const char* name;
  std::string header;
  // Empty: it says none.
  std::string source;
  std::string destination = {};
  std::string authority = {};
  std::string unique_id = {};
};
void PrintTo(const Good& good, std::ostream* out) { *out << good.name; }

class GoodHeaders : public testing::TestWithParam<Good> {};

TEST_P(GoodHeaders, AreUnderstoodWhereverTheyAreCut) {
  const Good& good = GetParam();
  ProxyHeader header;
  // What follows is not looked at, be it as a header would go on.
  for (const std::string& behind : {""s, "GET / HTTP/1.1\r\n"s, tlv(2, "evil"), "PROXY "s, "\r\n\r\n"s}) {
    const auto parse = [&](std::string_view bytes) { return parse_proxy_header(bytes, header); };
    const HeadResult result = parse_cut_everywhere(parse, good.header + behind);
    ASSERT_TRUE(result.complete()) << cause_of(result);
    EXPECT_EQ(result.consumed, good.header.size());
  }
  const std::string alone = good.header;
  ASSERT_TRUE(parse_proxy_header(alone, header).complete());
  EXPECT_EQ(header.has_addresses, !good.source.empty());
  if (header.has_addresses) {
    EXPECT_EQ(text_of(header.source), good.source);
    EXPECT_EQ(text_of(header.destination), good.destination);
  }
  EXPECT_EQ(header.authority, good.authority);
  EXPECT_EQ(header.unique_id, good.unique_id);
}

const Good kGood[] = {
    {"V1Tcp4", "PROXY TCP4 10.1.2.3 10.0.0.1 4321 80\r\n", "10.1.2.3:4321", "10.0.0.1:80"},
    {"V1PortZero", "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0", "255.255.255.255:65535"},
    {"V1Tcp6", "PROXY TCP6 2001:db8::1 ::1 4321 80\r\n", "[2001:db8::1]:4321", "[::1]:80"},
    {"V1Tcp6Longest",
     "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    // Row 160.
    {"V1Unknown", "PROXY UNKNOWN\r\n", ""},
    {"V1UnknownWithAnything", "PROXY UNKNOWN 10.1.2.3 what ever\r\n", ""},
    {"V1UnknownLongest", "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n", ""},
    {"V2Tcp4", v2(0x21, 0x11, kIp4), "10.1.2.3:4321", "10.0.0.1:80"},
    {"V2Tcp6", v2(0x21, 0x21, kIp6), "[2001:db8::1]:4321", "[::1]:80"},
    {"V2Unix", v2(0x21, 0x31, "/run/a.sock" + std::string(205, '\0')), "unix", "unix"},
    {"V2OfNoFamily", v2(0x21, 0x00, ""), ""},
    {"V2OfNoFamilyWithBytes", v2(0x21, 0x00, "whatever"), ""},
    // Row 163.
    {"V2Local", v2(0x20, 0x00, ""), ""},
    {"V2LocalWithAddresses", v2(0x20, 0x11, kIp4), ""},
    {"V2LocalWithNonsense", v2(0x20, 0x7f, "\xff\xff\xff"), ""},
    {"V2Authority", v2(0x21, 0x11, kIp4 + tlv(0x02, "www.example.com")), "10.1.2.3:4321", "10.0.0.1:80",
     "www.example.com"},
    {"V2UniqueId", v2(0x21, 0x11, kIp4 + tlv(0x05, std::string(128, 'i'))), "10.1.2.3:4321", "10.0.0.1:80", "",
     std::string(128, 'i')},
    {"V2UnknownTlvs", v2(0x21, 0x11, kIp4 + tlv(0x04, "") + tlv(0xe0, "mine") + tlv(0x20, "\0\0\0\0\0"s)),
     "10.1.2.3:4321", "10.0.0.1:80"},
    {"V2Checksum", with_checksum(v2(0x21, 0x11, kIp4 + tlv(0x02, "a") + tlv(0x03, "\0\0\0\0"s))), "10.1.2.3:4321",
     "10.0.0.1:80", "a"},
    {"V2Longest", v2(0x21, 0x11, kIp4 + tlv(0xe0, std::string(kMaxProxyHeader - 16 - 12 - 3, 'x'))), "10.1.2.3:4321",
     "10.0.0.1:80"},
};
INSTANTIATE_TEST_SUITE_P(All, GoodHeaders, testing::ValuesIn(kGood),
                         [](const auto& info) { return std::string(info.param.name); });

struct Bad {
  const char* name;
  int row;
  std::string bytes;
  // Empty: more is waited for.
  const char* cause;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class BadHeaders : public testing::TestWithParam<Bad> {};

TEST_P(BadHeaders, AreRefusedWhereverTheyAreCut) {
  const Bad& bad = GetParam();
  ProxyHeader header;
  const auto parse = [&](std::string_view bytes) { return parse_proxy_header(bytes, header); };
  const HeadResult result = parse_cut_everywhere(parse, bad.bytes);
  RecordProperty("rows", std::to_string(bad.row));
  EXPECT_EQ(cause_of(result), bad.cause) << "row " << bad.row;
  EXPECT_EQ(result.incomplete(), std::string_view(bad.cause).empty());
}

std::string line(const std::string& rest) { return "PROXY " + rest + "\r\n"; }
constexpr const char* kMalformed = "proxy_header_malformed";

const Bad kBad[] = {
    {"V1TooLong", 158, "PROXY UNKNOWN " + std::string(94, 'x'), "proxy_header_too_long"},
    {"V1EndOneByteTooLate", 158, "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", "proxy_header_too_long"},
    {"V1WithoutEnd", 158, "PROXY TCP4 10.1.2.3 10.0.0.1 4321 80", ""},
    {"V1BareLf", 158, "PROXY TCP4 10.1.2.3 10.0.0.1 4321 80\n", ""},
    {"V1BareCr", 158, "PROXY TCP4 10.1.2.3 10.0.0.1 4321 80\r", ""},
    {"V1Address999", 159, line("TCP4 999.1.1.1 10.0.0.1 4321 80"), kMalformed},
    {"V1LeadingZeroInAddress", 159, line("TCP4 10.1.2.03 10.0.0.1 4321 80"), kMalformed},
    {"V1ShortAddress", 159, line("TCP4 10.1.3 10.0.0.1 4321 80"), kMalformed},
    {"V1HexAddress", 159, line("TCP4 0x0a.1.2.3 10.0.0.1 4321 80"), kMalformed},
    {"V1NulInAddress", 159, line("TCP4 10.1.2.3\0 10.0.0.1 4321 80"s), kMalformed},
    {"V1Port65536", 159, line("TCP4 10.1.2.3 10.0.0.1 65536 80"), kMalformed},
    {"V1LeadingZeroInPort", 159, line("TCP4 10.1.2.3 10.0.0.1 04321 80"), kMalformed},
    {"V1SignInPort", 159, line("TCP4 10.1.2.3 10.0.0.1 +4321 80"), kMalformed},
    {"V1NegativePort", 159, line("TCP4 10.1.2.3 10.0.0.1 -1 80"), kMalformed},
    {"V1EmptyPort", 159, line("TCP4 10.1.2.3 10.0.0.1 4321 "), kMalformed},
    {"V1LowerCase", 159, "proxy TCP4 10.1.2.3 10.0.0.1 4321 80\r\n", "proxy_header_absent"},
    {"V1LowerCaseFamily", 159, line("tcp4 10.1.2.3 10.0.0.1 4321 80"), kMalformed},
    {"V1Tcp6WithIp4", 159, line("TCP6 10.1.2.3 10.0.0.1 4321 80"), kMalformed},
    {"V1Tcp4WithIp6", 159, line("TCP4 ::1 ::1 4321 80"), kMalformed},
    {"V1Zone", 159, line("TCP6 fe80::1%eth0 ::1 4321 80"), kMalformed},
    {"V1Brackets", 159, line("TCP6 [::1] [::1] 4321 80"), kMalformed},
    {"V1TwoSpaces", 159, line("TCP4  10.1.2.3 10.0.0.1 4321 80"), kMalformed},
    {"V1SpaceAtEnd", 159, line("TCP4 10.1.2.3 10.0.0.1 4321 80 "), kMalformed},
    {"V1Tab", 159, line("TCP4\t10.1.2.3 10.0.0.1 4321 80"), kMalformed},
    {"V1TooFew", 159, line("TCP4 10.1.2.3 10.0.0.1 4321"), kMalformed},
    {"V1TooMany", 159, line("TCP4 10.1.2.3 10.0.0.1 4321 80 90"), kMalformed},
    {"V1Udp", 159, line("UDP4 10.1.2.3 10.0.0.1 4321 80"), kMalformed},
    {"V1Unknownn", 160, line("UNKNOWNN"), kMalformed},
    {"V1NoFamily", 160, line(""), kMalformed},
    {"V2WrongSignature", 161, "\r\n\r\n\0\r\nQUIT\r"s, "proxy_header_absent"},
    {"V2Version1", 161, v2(0x11, 0x11, kIp4), "proxy_header_version"},
    {"V2Version3", 161, v2(0x31, 0x11, kIp4), "proxy_header_version"},
    {"V2Command2", 161, v2(0x22, 0x11, kIp4), "proxy_header_version"},
    {"V2Datagram", 161, v2(0x21, 0x12, kIp4), "proxy_header_family"},
    {"V2UnknownFamily", 161, v2(0x21, 0x41, kIp4), "proxy_header_family"},
    {"V2StreamOfNoFamily", 161, v2(0x21, 0x01, kIp4), "proxy_header_family"},
    {"V2ShorterThanAddresses", 162, v2(0x21, 0x21, kIp4), "proxy_header_too_short"},
    {"V2Empty", 162, v2(0x21, 0x11, ""), "proxy_header_too_short"},
    {"V2LongerThanWhatComes", 162, v2(0x21, 0x11, kIp4 + "xxxx").substr(0, 30), ""},
    {"V2TooLong", 162, kSignature + "\x21\x11" + number16(kMaxProxyHeader - 16 + 1), "proxy_header_too_long"},
    {"V2TlvPastTheEnd", 164, v2(0x21, 0x11, kIp4 + tlv(0x02, "abcd").substr(0, 6)) + "GET / HTTP/1.1\r\n",
     "proxy_header_tlv"},
    {"V2TlvCutInItsLength", 164, v2(0x21, 0x11, kIp4 + "\x02\x00"s) + "\x04payload"s, "proxy_header_tlv"},
    {"V2TlvOfTypeAlone", 164, v2(0x21, 0x11, kIp4 + "\x02"s) + "\x00\x04payload"s, "proxy_header_tlv"},
    {"V2TwoAuthorities", 164, v2(0x21, 0x11, kIp4 + tlv(2, "a") + tlv(2, "b")), "proxy_header_tlv"},
    {"V2LongUniqueId", 164, v2(0x21, 0x11, kIp4 + tlv(5, std::string(129, 'i'))), "proxy_header_tlv"},
    {"V2ChecksumOfThreeBytes", 165, v2(0x21, 0x11, kIp4 + tlv(3, "abc")), "proxy_header_tlv"},
    {"V2TwoChecksums", 165, v2(0x21, 0x11, kIp4 + tlv(3, "abcd") + tlv(3, "abcd")), "proxy_header_tlv"},
    {"V2WrongChecksum", 165, v2(0x21, 0x11, kIp4 + tlv(3, "abcd")), "proxy_header_checksum"},
    {"V2ChecksumOfOtherBytes", 165, with_checksum(v2(0x21, 0x11, kIp4 + tlv(3, "\0\0\0\0"s))).replace(16, 1, "\x0b"),
     "proxy_header_checksum"},
    {"Absent", 166, "GET / HTTP/1.1\r\n", "proxy_header_absent"},
    {"Tls", 166, "\x16\x03\x01\x02\x00", "proxy_header_absent"},
    {"Http2", 166, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "proxy_header_absent"},
    {"EmptyLines", 166, "\r\n\r\nGET / HTTP/1.1\r\n", "proxy_header_absent"},
};
INSTANTIATE_TEST_SUITE_P(All, BadHeaders, testing::ValuesIn(kBad),
                         [](const auto& info) { return std::string(info.param.name); });

// ---- writing

ProxyHeader parsed(const std::string& bytes) {
  ProxyHeader header;
  EXPECT_TRUE(parse_proxy_header(bytes, header).complete());
  return header;
}

TEST(WriteProxyHeader, IsWhatTheSpecificationHas) {
  const ProxyHeader ip4 = parsed(v2(0x21, 0x11, kIp4));
  const ProxyHeader ip6 = parsed(v2(0x21, 0x21, kIp6));
  std::array<char, kMaxWrittenProxyHeader> room;
  const auto v1_of = [&](const sockaddr_storage& source, const sockaddr_storage& destination) {
    return std::string(room.data(), write_proxy_v1({.source = &source, .destination = &destination}, room));
  };
  const auto v2_of = [&](const ProxyHeaderToWrite& header) {
    return std::string(room.data(), write_proxy_v2(header, room));
  };
  EXPECT_EQ(v1_of(ip4.source, ip4.destination), "PROXY TCP4 10.1.2.3 10.0.0.1 4321 80\r\n");
  EXPECT_EQ(v1_of(ip6.source, ip6.destination), "PROXY TCP6 2001:db8::1 ::1 4321 80\r\n");
  EXPECT_EQ(v1_of(ip4.source, ip6.destination), "PROXY TCP6 ::ffff:10.1.2.3 ::1 4321 80\r\n");
  EXPECT_EQ(v2_of({.source = &ip4.source, .destination = &ip4.destination}), v2(0x21, 0x11, kIp4));
  EXPECT_EQ(v2_of({.source = &ip6.source, .destination = &ip6.destination}), v2(0x21, 0x21, kIp6));
  EXPECT_EQ(v2_of({.source = &ip4.source,
                   .destination = &ip4.destination,
                   .authority = "a.example",
                   .unique_id = "id",
                   .crc32c = true}),
            with_checksum(v2(0x21, 0x11, kIp4 + tlv(2, "a.example") + tlv(5, "id") + tlv(3, "\0\0\0\0"s))));
  // Of nobody.
  EXPECT_EQ(v2_of({}), v2(0x20, 0x00, ""));
  EXPECT_EQ(std::string(room.data(), write_proxy_v1({}, room)), "PROXY UNKNOWN\r\n");
  sockaddr_storage unix_socket{};
  unix_socket.ss_family = AF_UNIX;
  EXPECT_EQ(v1_of(unix_socket, ip4.destination), "PROXY UNKNOWN\r\n");
}

TEST(WriteProxyHeader, FitsItsRoomHoweverMuchThereIsToSay) {
  const ProxyHeader ip6 = parsed(v2(0x21, 0x21, kIp6));
  std::array<char, kMaxWrittenProxyHeader> room;
  const std::string authority(kMaxProxyAuthority, 'a');
  const std::string unique_id(kMaxUniqueId, 'i');
  const size_t size = write_proxy_v2({.source = &ip6.source,
                                      .destination = &ip6.destination,
                                      .authority = authority,
                                      .unique_id = unique_id,
                                      .crc32c = true},
                                     room);
  const std::string written(room.data(), size);
  const ProxyHeader again = parsed(written);
  EXPECT_EQ(again.authority, authority);
  EXPECT_EQ(again.unique_id, unique_id);
}

// RFC 3720, appendix B.4.
TEST(Crc32c, IsThatOfTheStandard) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283u);
}

}  // namespace
}  // namespace fairlead::codec
