// Options of sockets, as the model has them.
#pragma once

#include "config/tcp_options.h"
#include "runtime/driver.h"

namespace fairlead::net {

// Of a connection over TCP that is new, and has what the system gives.
void set_tcp_options(runtime::Driver& driver, int fd, const config::TcpOptions& options);

// Of a socket that listens, for connections that it accepts from now on; `before` is what it has. What the kernel
// refuses stays as it was. `is_tcp`: it is no Unix socket.
void change_tcp_options(runtime::Driver& driver, int fd, bool is_tcp, const config::ListenerTcp& before,
                        const config::ListenerTcp& after);

}  // namespace fairlead::net
