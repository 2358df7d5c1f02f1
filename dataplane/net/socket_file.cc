#include "net/socket_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace fairlead::net {
namespace {

// 0: somebody listens there. ECONNREFUSED: nobody does. A full queue is somebody's as well.
int probe(const config::UnixEndpoint& endpoint) {
  config::SocketAddress address = config::Endpoint(endpoint).to_socket_address();
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size);
  int error = result == 0 || errno == EAGAIN ? 0 : errno;
  ::close(fd);
  return error;
}

}  // namespace

std::optional<std::string> clear_path(const config::UnixEndpoint& endpoint) {
  struct stat file{};
  if (::lstat(endpoint.path.c_str(), &file) != 0) return std::nullopt;  // binding says what is wrong with the way there
  // It would refuse a connection just as a socket that was left behind.
  if (!S_ISSOCK(file.st_mode)) return "exists and is not a socket";
  int error = probe(endpoint);
  if (error == 0) return "is in use: somebody listens there";
  if (error != ECONNREFUSED) return std::string("is not free: ") + std::strerror(error);
  if (::unlink(endpoint.path.c_str()) == 0 || errno == ENOENT) return std::nullopt;
  return std::string("was left behind and cannot be removed: ") + std::strerror(errno);
}

SocketFile::SocketFile(const config::Endpoint& endpoint) {
  if (!endpoint.is_unix()) return;
  const std::string& path = std::get<config::UnixEndpoint>(endpoint.value()).path;
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0) return;
  path_ = path;
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  remove();
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  ours_ = std::move(other.ours_);
  return *this;
}

void SocketFile::remove() {
  std::string path = std::exchange(path_, {});
  struct stat file{};
  if (path.empty() || (ours_ && !*ours_) || ::lstat(path.c_str(), &file) != 0) return;
  if (file.st_dev == device_ && file.st_ino == inode_) ::unlink(path.c_str());
}

}  // namespace fairlead::net
