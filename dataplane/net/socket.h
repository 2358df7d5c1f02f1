// Sockets that listen, opened before a worker takes them over.
#pragma once

#include "absl/status/statusor.h"
#include "config/endpoint.h"

namespace fairlead::net {

// A socket, non-blocking, bound and listening, at an address where nobody else listens (port 0 takes a free one). The
// error is FAILED_PRECONDITION and says what the kernel said: "127.0.0.1:80: Address already in use".
//
// `leaving`: sockets of our own may still be closing there, which is no conflict.
absl::StatusOr<int> listen_on(const config::Endpoint& endpoint, bool leaving = false);

// The same for an address that this process does not share among its threads, and that is its owner's alone where it is
// a path (mode 0600).
absl::StatusOr<int> listen_alone(const config::Endpoint& endpoint);

// Another socket at the address of one of our own from listen_on(): each worker has one, and the kernel spreads
// connections over them. A Unix socket can have only one queue, which they share then.
absl::StatusOr<int> listen_beside(int fd);

// Another descriptor of a listening socket: both accept from one queue.
absl::StatusOr<int> share(int fd);

// A socket bound to an address where sockets of our own listen, which is no conflict. Until start_listening() all
// connections go to those.
absl::StatusOr<int> bind_beside_ours(const config::Endpoint& endpoint);
absl::Status start_listening(int fd);

// The address that a socket is bound to: the real one for port 0.
config::Endpoint bound_address(int fd);

}  // namespace fairlead::net
