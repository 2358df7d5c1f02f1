#include "takeover/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace fairlead::takeover {
namespace {

constexpr int kBacklog = 16;

int milliseconds_until(Clock::time_point deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

bool wait_for(int fd, short events, Clock::time_point deadline) {
  while (true) {
    pollfd watched{.fd = fd, .events = events, .revents = 0};
    int ready = ::poll(&watched, 1, milliseconds_until(deadline));
    if (ready > 0) return true;
    if (Clock::now() >= deadline) return false;
  }
}

absl::Status failed(const char* what, int error) {
  if (error == EPIPE || error == ECONNRESET) return absl::UnavailableError("the other process closed the connection");
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(error)));
}

absl::StatusOr<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is longer than the ", sizeof address.sun_path - 1,
                                                   " bytes that a Unix socket's path may have; choose a shorter "
                                                   "state_directory"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int connect_to(int fd, const sockaddr_un& address) {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

base::Descriptor open_socket() {
  return base::Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

}  // namespace

bool wait_readable(int fd, Clock::time_point deadline) { return wait_for(fd, POLLIN, deadline); }

absl::StatusOr<Connection> Connection::open(const std::string& path) {
  absl::StatusOr<sockaddr_un> address = address_of(path);
  if (!address.ok()) return address.status();
  base::Descriptor socket = open_socket();
  if (!socket) return failed("socket", errno);
  int error = connect_to(socket.get(), *address);
  if (error == 0) return Connection(std::move(socket));
  if (error == ENOENT || error == ECONNREFUSED) return absl::NotFoundError(absl::StrCat(path, ": nobody listens"));
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", std::strerror(error)));
}

ucred Connection::peer() const {
  ucred credentials{.pid = 0, .uid = static_cast<uid_t>(-1), .gid = static_cast<gid_t>(-1)};
  socklen_t size = sizeof credentials;
  ::getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &credentials, &size);
  return credentials;
}

absl::Status Connection::send(std::string_view text, std::span<const int> descriptors, Clock::time_point deadline) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))] = {};
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  while (::sendmsg(fd(), &message, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return failed("sendmsg", errno);
    if (!wait_for(fd(), POLLOUT, deadline)) return absl::DeadlineExceededError("the other process does not read");
  }
  return absl::OkStatus();
}

absl::StatusOr<Message> Connection::receive(Clock::time_point deadline) {
  Message result;
  result.text.resize(kTextMax);
  iovec part{result.text.data(), result.text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = 0;
  while ((size = ::recvmsg(fd(), &message, MSG_CMSG_CLOEXEC)) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return failed("recvmsg", errno);
    if (!wait_readable(fd(), deadline)) return absl::DeadlineExceededError("the other process says nothing");
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(header) + i * sizeof(int), sizeof received);
      result.descriptors.emplace_back(received);
    }
  }
  if (size == 0) return failed("recvmsg", ECONNRESET);
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return absl::ResourceExhaustedError("too many descriptors are open in this process to take those that were sent");
  }
  if ((message.msg_flags & MSG_TRUNC) != 0) return absl::InvalidArgumentError("the other process says too much");
  result.text.resize(static_cast<size_t>(size));
  return result;
}

void listen_again(int fd) { ::listen(fd, kBacklog); }

absl::StatusOr<base::Descriptor> listen_at(const std::string& path) {
  absl::StatusOr<sockaddr_un> address = address_of(path);
  if (!address.ok()) return address.status();
  base::Descriptor socket = open_socket();
  if (!socket) return failed("socket", errno);
  struct stat file{};
  if (::lstat(path.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode)) return absl::FailedPreconditionError(path + ": exists and is not a socket");
    if (connect_to(open_socket().get(), *address) == 0) {
      return absl::FailedPreconditionError(path + ": is in use: somebody listens there");
    }
    ::unlink(path.c_str());
  }
  // The file is made with the mode that the socket has, so nobody else can connect at any moment.
  ::fchmod(socket.get(), 0600);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  return socket;
}

}  // namespace fairlead::takeover
