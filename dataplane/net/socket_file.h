// The file that a Unix socket listens at: what makes way for it, and what removes it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "config/endpoint.h"

namespace fairlead::net {

// Removes the socket file that a process left behind which is gone. Anything else in the way of a socket at this path
// stays, and the answer says what it is: "is in use: somebody listens there". Nothing: the path is free.
std::optional<std::string> clear_path(const config::UnixEndpoint& endpoint);

// Owns the file of a socket that was bound: it is removed with this object, unless somebody has put another in its
// place. The socket is open for as long as this lives, or another file could be taken for its own.
class SocketFile {
 public:
  SocketFile() = default;
  // Of a socket that was just bound there. An IP address has no file.
  explicit SocketFile(const config::Endpoint& endpoint);
  // Of one that another process has bound: it is ours from when `ours` holds. Until then it stays where it is.
  SocketFile(const config::Endpoint& endpoint, std::shared_ptr<const std::atomic<bool>> ours) : SocketFile(endpoint) {
    ours_ = std::move(ours);
  }
  SocketFile(SocketFile&& other) noexcept { *this = std::move(other); }
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile() { remove(); }
  void remove();
  // The file belongs to somebody else from now on.
  void forget() { path_.clear(); }

 private:
  std::string path_;  // empty: none
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::shared_ptr<const std::atomic<bool>> ours_;  // null: it is
};

}  // namespace fairlead::net
