// The life of a TCP connection from a client: one connection to a server, bytes both ways.
#pragma once

#include "proxy/client.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// As serve_http, but that it does not end with Client::finish(): who has a connection keeps it.
runtime::Task<void> serve_tcp(Context& context, ListenerContext& listener, const Arrival& arrival);

}  // namespace fairlead::proxy
