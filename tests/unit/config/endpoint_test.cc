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

TEST(EndpointTest, AServerMayHaveAName) {
  for (auto [text, canonical] : {std::pair{"App.Internal:8080", "app.internal:8080"},
                                 {"a_b-1.x.:1", "a_b-1.x:1"},
                                 {"localhost:65535", "localhost:65535"},
                                 {"1a:80", "1a:80"}}) {
    EXPECT_FALSE(Endpoint::parse(text).ok()) << text;
    absl::StatusOr<Endpoint> endpoint = Endpoint::parse_server(text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_TRUE(endpoint->is_name());
    EXPECT_EQ(endpoint->to_string(), canonical);
    EXPECT_EQ(std::string(endpoint->host()) + ":" + std::to_string(endpoint->port()), canonical);
    EXPECT_EQ(*Endpoint::parse_server(canonical), *endpoint);
    EXPECT_TRUE(endpoint->is_destination());
  }
  EXPECT_FALSE(Endpoint::parse_server("app:0")->is_destination());
  EXPECT_FALSE(Endpoint::parse_server("10.0.0.1:80")->is_name());
  // What is meant for an address is not taken for a name.
  for (const char* text : {"10.0.0.256:80", "1.2.3:80", "0x7f.1:80", "0x7f000001:80", "010.0.0.1:80", "80:80", "a:b:80",
                           "a.b", "a.b:", ".:80", ":80", "a..b:80", "*.a:80", "unix:a", "a b:80", "[a]:80"}) {
    EXPECT_FALSE(Endpoint::parse_server(text).ok()) << text;
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
