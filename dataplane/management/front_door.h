// Accepts connections for the gRPC server, on a thread of its own.
//
// gRPC would bind and unlink addresses by itself. The sockets are ours, so that they can pass to another process while
// clients connect: there is no moment at which nobody listens.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/descriptor.h"

namespace fairlead::management {

class FrontDoor {
 public:
  // Owns the listening sockets from now on. `take` is given each connection, on the door's thread, and owns it.
  FrontDoor(const std::vector<int>& listening, std::function<void(int fd)> take);
  // Nobody is let in any more, and the sockets are closed.
  ~FrontDoor();

  std::vector<base::Descriptor> copy_sockets() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fairlead::management
