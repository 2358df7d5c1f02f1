// The file that a Unix socket listens at: what makes way for it, and what removes it.
#pragma once

#include <sys/types.h>

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
  SocketFile(SocketFile&& other) noexcept { *this = std::move(other); }
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile() { remove(); }
  void remove();

 private:
  std::string path_;  // empty: none
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace fairlead::net
