#include "net/socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "net/socket_file.h"

namespace fairlead::net {
namespace {

constexpr int kBacklog = 4096;

absl::Status failed(const config::Endpoint& endpoint, int error) {
  return absl::FailedPreconditionError(absl::StrCat(endpoint.to_string(), ": ", strerror(error)));
}

enum class Sharing : uint8_t { kAlone, kWithOurOwn };
constexpr mode_t kOwnersAlone = 0600;

absl::StatusOr<int> open_bound(const config::Endpoint& endpoint, Sharing sharing, std::optional<mode_t> mode = {}) {
  if (const auto* path = std::get_if<config::UnixEndpoint>(&endpoint.value())) {
    if (std::optional<std::string> problem = clear_path(*path)) {
      return absl::FailedPreconditionError(absl::StrCat(endpoint.to_string(), ": ", *problem));
    }
  }
  config::SocketAddress address = endpoint.to_socket_address();
  int fd = ::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(endpoint, errno);
  int on = 1;
  if (!endpoint.is_unix()) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!endpoint.is_unix() && sharing == Sharing::kWithOurOwn) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  // A socket's file is made with the mode that the socket has: nobody else can connect at any moment.
  if (endpoint.is_unix() && mode) ::fchmod(fd, *mode);
  // An IPv6 address means IPv6: "[::]:80" beside "0.0.0.0:80" is no conflict.
  if (endpoint.family() == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0) return fd;
  int error = errno;
  ::close(fd);
  return failed(endpoint, error);
}

absl::StatusOr<int> open_listening(const config::Endpoint& endpoint, Sharing sharing, std::optional<mode_t> mode = {}) {
  absl::StatusOr<int> fd = open_bound(endpoint, sharing, mode);
  if (!fd.ok()) return fd;
  if (::listen(*fd, kBacklog) == 0) return fd;
  int error = errno;
  ::close(*fd);
  return failed(endpoint, error);
}

// Whoever shares a port with others must say so before it binds, and then it could join a stranger's as well. So that
// listen_on() finds a taken port, a socket that does not share tries the address first.
absl::Status check_free(const config::Endpoint& endpoint) {
  if (endpoint.port() == 0) return absl::OkStatus();
  absl::StatusOr<int> alone = open_listening(endpoint, Sharing::kAlone);
  if (!alone.ok()) return alone.status();
  ::close(*alone);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> listen_on(const config::Endpoint& endpoint, bool leaving) {
  if (endpoint.is_unix()) return open_listening(endpoint, Sharing::kAlone);
  if (!leaving) {
    if (absl::Status free = check_free(endpoint); !free.ok()) return free;
  }
  return open_listening(endpoint, Sharing::kWithOurOwn);
}

absl::StatusOr<int> listen_alone(const config::Endpoint& endpoint) {
  return open_listening(endpoint, Sharing::kAlone, kOwnersAlone);
}

absl::StatusOr<int> listen_beside(int fd) {
  config::Endpoint endpoint = bound_address(fd);
  if (!endpoint.is_unix()) return open_listening(endpoint, Sharing::kWithOurOwn);
  return share(fd);
}

absl::StatusOr<int> share(int fd) {
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return failed(bound_address(fd), errno);
  return copy;
}

absl::StatusOr<int> bind_beside_ours(const config::Endpoint& endpoint) {
  return open_bound(endpoint, Sharing::kWithOurOwn);
}

absl::Status start_listening(int fd) {
  if (::listen(fd, kBacklog) == 0) return absl::OkStatus();
  return failed(bound_address(fd), errno);
}

config::Endpoint bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  FAIRLEAD_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0);
  return config::Endpoint::from_socket_address(reinterpret_cast<const sockaddr*>(&storage), size);
}

}  // namespace fairlead::net
