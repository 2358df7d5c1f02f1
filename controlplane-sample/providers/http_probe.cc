#include "providers/http_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "providers/descriptor.h"

namespace fairlead::providers {
namespace {

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

template <typename Address>
SocketAddress pack(const Address& address) {
  SocketAddress packed;
  std::memcpy(&packed.storage, &address, sizeof(address));
  packed.length = sizeof(address);
  return packed;
}

absl::Status wrong_address(const std::string& address) {
  return absl::InvalidArgumentError(
      absl::StrCat("address \"", address, "\" is none of ip:port, [ip]:port, unix:/path"));
}

absl::StatusOr<SocketAddress> parse_address(const std::string& address) {
  absl::string_view text = address;
  if (absl::ConsumePrefix(&text, "unix:")) {
    sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = {}};
    if (text.empty() || text.size() >= sizeof(local.sun_path)) return wrong_address(address);
    text.copy(local.sun_path, text.size());
    return pack(local);
  }
  const std::size_t colon = text.rfind(':');
  int port = 0;
  const bool has_port = colon != absl::string_view::npos && absl::SimpleAtoi(text.substr(colon + 1), &port);
  if (!has_port || port < 1 || port > 65535) return wrong_address(address);
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (bracketed && inet_pton(AF_INET6, std::string(host).c_str(), &v6.sin6_addr) == 1) return pack(v6);
  sockaddr_in v4 = {};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<std::uint16_t>(port));
  if (!bracketed && inet_pton(AF_INET, std::string(host).c_str(), &v4.sin_addr) == 1) return pack(v4);
  return wrong_address(address);
}

absl::StatusOr<Descriptor> connect_to(const SocketAddress& address, absl::Time deadline) {
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return absl::ErrnoToStatus(errno, "socket");
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0) return socket;
  if (errno != EINPROGRESS) return absl::ErrnoToStatus(errno, "connect");
  if (!wait_writable(socket.get(), deadline)) return absl::DeadlineExceededError("connect: timeout");
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return absl::ErrnoToStatus(error, "connect");
  return socket;
}

// The first line is all that counts; it is short.
absl::StatusOr<std::string> read_status_line(const Descriptor& socket, absl::Time deadline) {
  std::string head;
  char buffer[512];
  while (head.find('\n') == std::string::npos && head.size() < 4096) {
    if (wait_readable({socket.get()}, deadline) < 0) return absl::DeadlineExceededError("no response in time");
    const ssize_t size = recv(socket.get(), buffer, sizeof(buffer), 0);
    if (size < 0 && errno == EAGAIN) continue;
    if (size < 0) return absl::ErrnoToStatus(errno, "recv");
    if (size == 0) return absl::UnavailableError("closed before it responded");
    head.append(buffer, static_cast<std::size_t>(size));
  }
  return head.substr(0, head.find_first_of("\r\n"));
}

}  // namespace

absl::Status probe_http(const std::string& address, const std::string& path, absl::Time deadline) {
  const absl::StatusOr<SocketAddress> parsed = parse_address(address);
  if (!parsed.ok()) return parsed.status();
  const absl::StatusOr<Descriptor> socket = connect_to(*parsed, deadline);
  if (!socket.ok()) return socket.status();
  const std::string host = absl::StartsWith(address, "unix:") ? "localhost" : address;
  const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", host, "\r\nConnection: close\r\n\r\n");
  // An empty send buffer takes so little whole.
  if (send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return absl::UnavailableError("the request could not be sent");
  }
  const absl::StatusOr<std::string> line = read_status_line(*socket, deadline);
  if (!line.ok()) return line.status();
  const bool ok = absl::StartsWith(*line, "HTTP/1.1 200") || absl::StartsWith(*line, "HTTP/1.0 200");
  return ok ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("\"", *line, "\" in place of a 200"));
}

}  // namespace fairlead::providers
