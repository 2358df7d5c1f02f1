#include "config/endpoint.h"

#include <string>

#include "gtest/gtest.h"

namespace fairlead::config {
namespace {

TEST(EndpointTest, WhatIsCanonicalComesBackAsItWas) {
  for (const char* text : {"10.0.0.1:80", "0.0.0.0:0", "[::1]:8080", "[2001:db8::1]:65535", "unix:/run/app.sock"}) {
    absl::StatusOr<Endpoint> endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(endpoint->to_string(), text);
    SocketAddress address = endpoint->to_socket_address();
    EXPECT_EQ(Endpoint::from_socket_address(reinterpret_cast<const sockaddr*>(&address.storage), address.size),
              *endpoint);
  }
}

TEST(EndpointTest, TheLongestUnixPathFits) {
  std::string path = "unix:/" + std::string(kUnixPathMax - 1, 'p');
  EXPECT_TRUE(Endpoint::parse(path).ok());
  EXPECT_EQ(Endpoint::parse(path)->to_string(), path);
  EXPECT_FALSE(Endpoint::parse(path + "p").ok());
}

TEST(EndpointTest, OnlyRealAddressesAreDestinations) {
  for (const char* text : {"10.0.0.1:80", "127.0.0.1:1", "[::1]:1", "unix:/a"}) {
    EXPECT_TRUE(Endpoint::parse(text)->is_destination()) << text;
  }
  for (const char* text : {"10.0.0.1:0", "0.0.0.0:80", "224.0.0.1:80", "239.1.1.1:80", "255.255.255.255:80", "[::]:80",
                           "[ff02::1]:80", "[::1]:0"}) {
    EXPECT_FALSE(Endpoint::parse(text)->is_destination()) << text;
  }
}

TEST(EndpointTest, AnIpAddressAloneComesBackAsItWas) {
  for (const char* text : {"10.0.0.1", "0.0.0.0", "::1", "2001:db8::1"}) {
    absl::StatusOr<Endpoint> address = parse_ip(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->port(), 0);
    EXPECT_EQ(ip_text(*address), text);
  }
  for (const char* text : {"", "10.0.0.1:80", "[::1]", "[::1]:80", "unix:/a", "a.example", "10.1", "::1%lo"}) {
    EXPECT_FALSE(parse_ip(text).ok()) << text;
  }
}

}  // namespace
}  // namespace fairlead::config
