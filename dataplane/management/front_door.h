// Accepts connections for the gRPC server, on a thread of its own; those that speak TLS get in by tls_door.h.
//
// gRPC would bind and unlink addresses by itself. The sockets are ours, so that they can pass to another process while
// clients connect: there is no moment at which nobody listens.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/descriptor.h"
#include "management/counts.h"
#include "management/credentials.h"
#include "management/peers.h"

namespace fairlead::management {

class FrontDoor {
 public:
  enum class Speaks : uint8_t {
    // Over a Unix socket: who has connected is the system's to say.
    kUnix,
    kClearText,
    kTls,
  };
  struct Entrance {
    int socket = -1;
    Speaks speaks = Speaks::kUnix;
  };

  // Owns the listening sockets from now on. `credentials`: where one of them speaks TLS. `take` is given each
  // connection, on the door's thread, and owns it. `peers` and `counts` outlive the door.
  FrontDoor(const std::vector<Entrance>& entrances, std::shared_ptr<Credentials> credentials, Peers& peers,
            Counts& counts, std::function<void(int fd)> take);
  ~FrontDoor();

  // Nobody is let in any more, and the sockets are closed: `take` is not called again when this returns. Who is in
  // stays until the end, when what is said already is still passed on. Idempotent.
  void close();

  std::vector<base::Descriptor> copy_sockets() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fairlead::management
