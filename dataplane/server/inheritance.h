// The sockets that a process has taken over, until it is known which of them it wants. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "net/socket_file.h"
#include "takeover/protocol.h"

namespace fairlead::server {

class Inheritance {
 public:
  // Nothing inherited.
  Inheritance() = default;
  explicit Inheritance(std::vector<takeover::Offer> offers);

  // All sockets at the address that is named so, in the configuration or as it was bound; each is given once. Empty:
  // there is none.
  std::vector<base::Descriptor> take(takeover::Use use, uint64_t uid, const std::string& address);
  // The file of a socket that was taken. It is removed with its owner only after own(): before that the process that
  // runs may go on.
  net::SocketFile file_of(const config::Endpoint& bound) const { return net::SocketFile(bound, ours_); }
  // The other process leaves: all that was taken is ours.
  void own() { *ours_ = true; }
  // Closes what nobody has taken, and says for each offer whether it was taken. Nothing is left to take then.
  std::vector<bool> close();

 private:
  const std::shared_ptr<std::atomic<bool>> ours_ = std::make_shared<std::atomic<bool>>(false);
  std::mutex mutex_;
  std::vector<takeover::Offer> offers_;  // guarded by mutex_
  std::vector<bool> taken_;              // guarded by mutex_
};

}  // namespace fairlead::server
