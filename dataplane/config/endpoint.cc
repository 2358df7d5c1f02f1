#include "config/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/check.h"
#include "config/text.h"
#include "config/validate.h"

namespace fairlead::config {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kForms =
    "write an IP address and a port as 10.0.0.1:8080 or [2001:db8::1]:8080, or unix:/path";

absl::Status wrong(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(concat(quoted(text), " ", why));
}

absl::StatusOr<Endpoint> parse_unix(std::string_view text) {
  std::string_view path = text.substr(kUnixPrefix.size());
  if (path.empty() || path.front() != '/') return wrong(text, "needs an absolute path: unix:/run/app.sock");
  if (path.size() > kUnixPathMax) {
    return wrong(text, concat("has a path of ", path.size(), " bytes; a Unix socket's has at most ", kUnixPathMax));
  }
  if (std::ranges::any_of(path, [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); })) {
    return wrong(text, "has a control character in its path");
  }
  return Endpoint(UnixEndpoint{std::string(path)});
}

// Digits only, without a sign or a leading zero.
absl::StatusOr<uint16_t> parse_port(std::string_view text, std::string_view digits) {
  bool plain = !digits.empty() && digits.size() <= 5 && std::ranges::all_of(digits, absl::ascii_isdigit) &&
               (digits.size() == 1 || digits.front() != '0');
  uint32_t port = 0;
  if (!plain || !absl::SimpleAtoi(as_absl(digits), &port) || port > 65535) {
    return wrong(text, concat("has the port ", quoted(digits), "; a port is a number from 0 to 65535"));
  }
  return static_cast<uint16_t>(port);
}

absl::StatusOr<Endpoint> parse_ip6(std::string_view text) {
  size_t close = text.find("]:");
  if (close == std::string_view::npos) return wrong(text, concat("is not an address: ", kForms));
  std::string address(text.substr(1, close - 1));
  absl::StatusOr<uint16_t> port = parse_port(text, text.substr(close + 2));
  if (!port.ok()) return port.status();
  Ip6Endpoint ip6{.port = *port};
  bool plain = address.find('\0') == std::string::npos;
  if (!plain || inet_pton(AF_INET6, address.c_str(), ip6.address.data()) != 1) {
    return wrong(text, concat("is not an IPv6 address and port: ", kForms));
  }
  return Endpoint(ip6);
}

absl::StatusOr<Endpoint> parse_ip4(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong(text, concat("has no port: ", kForms));
  std::array<char, INET_ADDRSTRLEN> address{};
  std::string_view given = text.substr(0, colon);
  in_addr parsed{};
  // inet_pton takes four decimal numbers only: no short, octal or hexadecimal forms.
  bool plain = given.size() < address.size() && !given.contains('\0');
  if (plain) std::ranges::copy(given, address.begin());
  if (!plain || inet_pton(AF_INET, address.data(), &parsed) != 1) {
    return wrong(text, concat("is not an IPv4 address and port: ", kForms));
  }
  absl::StatusOr<uint16_t> port = parse_port(text, text.substr(colon + 1));
  if (!port.ok()) return port.status();
  return Endpoint(Ip4Endpoint{.address = ntohl(parsed.s_addr), .port = *port});
}

// What somebody writes for an address that it is not, "10.0.0.256" or "0x7f.1", is no name.
bool is_number(std::string_view label) {
  if (!label.starts_with("0x")) return std::ranges::all_of(label, absl::ascii_isdigit);
  return std::ranges::all_of(label.substr(2), absl::ascii_isxdigit);
}

// Unset: it is none.
std::optional<std::string> parse_host(std::string_view text) {
  std::string host = absl::AsciiStrToLower(as_absl(text));
  if (host.ends_with('.')) host.pop_back();
  std::string_view last = std::string_view(host).substr(host.rfind('.') + 1);
  if (host.starts_with("*.") || host.starts_with('[') || check_host(host) || is_number(last)) return std::nullopt;
  return host;
}

SocketAddress socket_address(const Ip4Endpoint& ip4) {
  SocketAddress result{};
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(ip4.port);
  in.sin_addr.s_addr = htonl(ip4.address);
  std::memcpy(&result.storage, &in, sizeof(in));
  result.size = sizeof(in);
  return result;
}

SocketAddress socket_address(const Ip6Endpoint& ip6) {
  SocketAddress result{};
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(ip6.port);
  std::memcpy(&in.sin6_addr, ip6.address.data(), ip6.address.size());
  std::memcpy(&result.storage, &in, sizeof(in));
  result.size = sizeof(in);
  return result;
}

SocketAddress socket_address(const UnixEndpoint& unix_endpoint) {
  FAIRLEAD_CHECK(unix_endpoint.path.size() <= kUnixPathMax);
  SocketAddress result{};
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, unix_endpoint.path.data(), unix_endpoint.path.size());
  std::memcpy(&result.storage, &un, sizeof(un));
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + unix_endpoint.path.size() + 1);
  return result;
}

bool is_destination_address(const Ip4Endpoint& ip4) {
  bool unspecified = (ip4.address >> 24) == 0;
  bool multicast = (ip4.address >> 28) == 0xe;
  bool broadcast = ip4.address == 0xffffffff;
  return ip4.port != 0 && !unspecified && !multicast && !broadcast;
}

bool is_destination_address(const Ip6Endpoint& ip6) {
  bool unspecified = std::ranges::all_of(ip6.address, [](uint8_t byte) { return byte == 0; });
  bool multicast = ip6.address[0] == 0xff;
  return ip6.port != 0 && !unspecified && !multicast;
}

bool is_destination_address(const UnixEndpoint&) { return true; }

uint16_t port_of(const NameEndpoint& name) {
  uint32_t port = 0;
  FAIRLEAD_CHECK(absl::SimpleAtoi(as_absl(std::string_view(name.text).substr(name.text.rfind(':') + 1)), &port));
  return static_cast<uint16_t>(port);
}

bool is_destination_address(const NameEndpoint& name) { return port_of(name) != 0; }

SocketAddress socket_address(const NameEndpoint&) {
  FAIRLEAD_CHECK(false);
  return {};
}

}  // namespace

absl::StatusOr<Endpoint> Endpoint::parse(std::string_view text) {
  if (text.empty()) return wrong(text, concat("is not an address: ", kForms));
  if (text.starts_with(kUnixPrefix)) return parse_unix(text);
  if (text.front() == '[') return parse_ip6(text);
  return parse_ip4(text);
}

absl::StatusOr<Endpoint> Endpoint::parse_server(std::string_view text) {
  absl::StatusOr<Endpoint> address = parse(text);
  size_t colon = text.rfind(':');
  if (address.ok() || text.starts_with(kUnixPrefix)) return address;
  std::optional<std::string> host = parse_host(text.substr(0, colon));
  if (!host || colon == std::string_view::npos) {
    return absl::InvalidArgumentError(
        concat(std::string(address.status().message()), ", or a name and a port as app.internal:8080"));
  }
  absl::StatusOr<uint16_t> port = parse_port(text, text.substr(colon + 1));
  if (!port.ok()) return port.status();
  return Endpoint(NameEndpoint{concat(*host, ":", *port)});
}

std::string_view Endpoint::host() const {
  std::string_view text = std::get<NameEndpoint>(value_).text;
  return text.substr(0, text.rfind(':'));
}

Endpoint Endpoint::from_socket_address(const sockaddr* address, socklen_t size) {
  switch (address->sa_family) {
    case AF_INET: {
      FAIRLEAD_CHECK(size >= sizeof(sockaddr_in));
      sockaddr_in in;
      std::memcpy(&in, address, sizeof(in));
      return Endpoint(Ip4Endpoint{.address = ntohl(in.sin_addr.s_addr), .port = ntohs(in.sin_port)});
    }
    case AF_INET6: {
      FAIRLEAD_CHECK(size >= sizeof(sockaddr_in6));
      sockaddr_in6 in;
      std::memcpy(&in, address, sizeof(in));
      Ip6Endpoint ip6{.port = ntohs(in.sin6_port)};
      std::memcpy(ip6.address.data(), &in.sin6_addr, ip6.address.size());
      return Endpoint(ip6);
    }
    default: {
      FAIRLEAD_CHECK(address->sa_family == AF_UNIX);
      // An unnamed peer has no path; the kernel does not promise a terminating zero.
      const char* path = reinterpret_cast<const char*>(address) + offsetof(sockaddr_un, sun_path);
      size_t room = size - std::min<size_t>(size, offsetof(sockaddr_un, sun_path));
      return Endpoint(UnixEndpoint{std::string(path, strnlen(path, room))});
    }
  }
}

std::string Endpoint::to_string() const {
  if (const auto* ip4 = std::get_if<Ip4Endpoint>(&value_)) {
    uint32_t a = ip4->address;
    return concat(a >> 24, ".", (a >> 16) & 255, ".", (a >> 8) & 255, ".", a & 255, ":", ip4->port);
  }
  if (const auto* ip6 = std::get_if<Ip6Endpoint>(&value_)) {
    char text[INET6_ADDRSTRLEN];
    FAIRLEAD_CHECK(inet_ntop(AF_INET6, ip6->address.data(), text, sizeof(text)) != nullptr);
    return concat("[", text, "]:", ip6->port);
  }
  if (is_name()) return std::get<NameEndpoint>(value_).text;
  return concat(kUnixPrefix, std::get<UnixEndpoint>(value_).path);
}

SocketAddress Endpoint::to_socket_address() const {
  return std::visit([](const auto& value) { return socket_address(value); }, value_);
}

int Endpoint::family() const {
  FAIRLEAD_CHECK(!is_name());
  if (std::holds_alternative<Ip4Endpoint>(value_)) return AF_INET;
  return is_unix() ? AF_UNIX : AF_INET6;
}

uint16_t Endpoint::port() const {
  if (const auto* ip4 = std::get_if<Ip4Endpoint>(&value_)) return ip4->port;
  if (const auto* ip6 = std::get_if<Ip6Endpoint>(&value_)) return ip6->port;
  if (const auto* name = std::get_if<NameEndpoint>(&value_)) return port_of(*name);
  return 0;
}

Endpoint Endpoint::with_port(uint16_t port) const {
  Endpoint result = *this;
  if (auto* ip4 = std::get_if<Ip4Endpoint>(&result.value_)) ip4->port = port;
  if (auto* ip6 = std::get_if<Ip6Endpoint>(&result.value_)) ip6->port = port;
  return result;
}

bool Endpoint::is_destination() const {
  return std::visit([](const auto& value) { return is_destination_address(value); }, value_);
}

bool Endpoint::is_loopback() const {
  if (const auto* ip4 = std::get_if<Ip4Endpoint>(&value_)) return (ip4->address >> 24) == 127;
  if (const auto* ip6 = std::get_if<Ip6Endpoint>(&value_)) {
    return std::all_of(ip6->address.begin(), ip6->address.end() - 1, [](uint8_t byte) { return byte == 0; }) &&
           ip6->address.back() == 1;
  }
  return false;
}

bool Endpoint::is_unspecified() const {
  if (const auto* ip4 = std::get_if<Ip4Endpoint>(&value_)) return ip4->address == 0;
  if (const auto* ip6 = std::get_if<Ip6Endpoint>(&value_)) {
    return std::ranges::all_of(ip6->address, [](uint8_t byte) { return byte == 0; });
  }
  return false;
}

Endpoint Endpoint::unspecified() const {
  FAIRLEAD_CHECK(!is_unix());
  return family() == AF_INET ? Endpoint(Ip4Endpoint{.port = port()}) : Endpoint(Ip6Endpoint{.port = port()});
}

bool arrives_at(const Endpoint& address, const Endpoint& place) {
  return address == place || (address.is_loopback() && place == address.unspecified());
}

bool overlap(const Endpoint& a, const Endpoint& b) {
  if (a == b) return true;
  return a.family() == b.family() && a.port() == b.port() && (a.is_unspecified() || b.is_unspecified());
}

absl::StatusOr<Endpoint> parse_ip(std::string_view text) {
  bool is_ip6 = text.contains(':');
  absl::StatusOr<Endpoint> parsed = Endpoint::parse(is_ip6 ? concat("[", text, "]:0") : concat(text, ":0"));
  if (parsed.ok() && !parsed->is_unix()) return parsed;
  return wrong(text, "is not an IP address without a port, such as 10.0.0.1 or 2001:db8::1");
}

std::string ip_text(const Endpoint& address) {
  std::string text = address.to_string();
  text.resize(text.rfind(':'));
  return text.starts_with('[') ? text.substr(1, text.size() - 2) : text;
}

}  // namespace fairlead::config
