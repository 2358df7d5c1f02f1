// An address of the network: an IP address and port, or the path of a Unix socket; for servers also a name and a port,
// which stands for addresses that are found at run time. A small value; compared by content.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"

namespace fairlead::config {

inline constexpr size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;

struct Ip4Endpoint {
  uint32_t address = 0;  // host byte order
  uint16_t port = 0;
  friend auto operator<=>(const Ip4Endpoint&, const Ip4Endpoint&) = default;
};

struct Ip6Endpoint {
  std::array<uint8_t, 16> address{};
  uint16_t port = 0;
  friend auto operator<=>(const Ip6Endpoint&, const Ip6Endpoint&) = default;
};

struct UnixEndpoint {
  std::string path;  // 1 to 107 bytes, absolute
  friend auto operator<=>(const UnixEndpoint&, const UnixEndpoint&) = default;
};

// A DNS name and a port. As one text, so that an address is no larger for it.
struct NameEndpoint {
  std::string text;  // "app.internal:8080": in lower case, without a dot at the end
  friend auto operator<=>(const NameEndpoint&, const NameEndpoint&) = default;
};

struct SocketAddress {
  sockaddr_storage storage;
  socklen_t size;
};

class Endpoint {
 public:
  // 0.0.0.0:0
  Endpoint() = default;
  explicit Endpoint(Ip4Endpoint ip4) : value_(ip4) {}
  explicit Endpoint(Ip6Endpoint ip6) : value_(ip6) {}
  explicit Endpoint(UnixEndpoint path) : value_(std::move(path)) {}
  explicit Endpoint(NameEndpoint name) : value_(std::move(name)) {}

  // "10.0.0.1:80", "[::1]:80", "unix:/path". IP addresses in their canonical forms only: no names, no short or octal
  // forms, no zones. The error's text says what was wrong and what would be right, without naming a field.
  static absl::StatusOr<Endpoint> parse(std::string_view text);
  // Of a server: these, and "app.internal:8080".
  static absl::StatusOr<Endpoint> parse_server(std::string_view text);
  // Of a socket that is bound or connected. Anything but IPv4, IPv6 and Unix is an assertion.
  static Endpoint from_socket_address(const sockaddr* address, socklen_t size);

  std::string to_string() const;
  // Of anything but a name; so is family().
  SocketAddress to_socket_address() const;
  int family() const;
  bool is_name() const { return std::holds_alternative<NameEndpoint>(value_); }
  // Of a name: without the port.
  std::string_view host() const;
  bool is_unix() const { return std::holds_alternative<UnixEndpoint>(value_); }
  // 0 for a Unix socket.
  uint16_t port() const;
  Endpoint with_port(uint16_t port) const;
  // Not usable as a destination: unspecified, multicast, broadcast, or port 0.
  bool is_destination() const;
  bool is_loopback() const;
  // 0.0.0.0 or [::], whatever the port.
  bool is_unspecified() const;
  // 0.0.0.0 or [::] with the same port. Requires that it is no Unix socket.
  Endpoint unspecified() const;
  const std::variant<Ip4Endpoint, Ip6Endpoint, UnixEndpoint, NameEndpoint>& value() const { return value_; }

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;

 private:
  std::variant<Ip4Endpoint, Ip6Endpoint, UnixEndpoint, NameEndpoint> value_;
};

// An IP address without a port: "10.0.0.1", "2001:db8::1". With port 0. Errors as of Endpoint::parse().
absl::StatusOr<Endpoint> parse_ip(std::string_view text);
// The same backwards; requires an IP address.
std::string ip_text(const Endpoint& address);

// Whether a connection to `address` arrives at a socket of this host that is bound to `place`. (An IPv6 socket of ours
// takes no IPv4.)
bool arrives_at(const Endpoint& address, const Endpoint& place);

// Whether sockets bound to these would compete for the same connections: equal, or one of them stands for all
// addresses. Requires real ports.
bool overlap(const Endpoint& a, const Endpoint& b);

}  // namespace fairlead::config
