#include "proxy/forwarded_text.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace fairlead::proxy {
namespace {

config::IpNumber number_of(const std::string& text) {
  sockaddr_storage address{};
  auto& ip4 = reinterpret_cast<sockaddr_in&>(address);
  auto& ip6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET, text.c_str(), &ip4.sin_addr) == 1) {
    address.ss_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &ip6.sin6_addr), 1) << text;
    address.ss_family = AF_INET6;
  }
  return *config::ip_number(address);
}

TEST(ForwardedText, SaysAddressAndScheme) {
  ForwardedText text;
  for (const char* address : {"0.0.0.0", "10.20.30.40", "255.255.255.255", "1.9.99.100", "2001:db8::1", "::"}) {
    const codec::ForwardedLines& lines = text.of(number_of(address), false);
    EXPECT_EQ(lines.address, address);
    EXPECT_EQ(lines.lines, std::string("X-Forwarded-For: ") + address + "\r\nX-Forwarded-Proto: http\r\n");
  }
  EXPECT_EQ(text.of(number_of("::ffff:10.1.2.3"), false).address, "10.1.2.3");
}

TEST(ForwardedText, TellsApartWhatDiffersInOneThing) {
  ForwardedText text;
  // The address 0.0.0.0 as a number is not 0, so that no client is taken for one of a Unix socket.
  EXPECT_EQ(text.of(std::nullopt, false).address, "unix");
  EXPECT_EQ(text.of(config::IpNumber{0}, false).address, "::");
  EXPECT_EQ(text.of(std::nullopt, false).address, "unix");
  EXPECT_EQ(codec::scheme_of(text.of(std::nullopt, true)), "https");
  EXPECT_EQ(codec::scheme_of(text.of(std::nullopt, false)), "http");
}

TEST(ForwardedText, WritesAddressesAsTheSystemDoes) {
  std::mt19937 random(5);
  ForwardedText text;
  for (int i = 0; i < 10'000; ++i) {
    in_addr ip4{.s_addr = static_cast<uint32_t>(random())};
    char expected[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &ip4, expected, sizeof expected);
    EXPECT_EQ(text.of(number_of(expected), false).address, expected);
  }
}

}  // namespace
}  // namespace fairlead::proxy
