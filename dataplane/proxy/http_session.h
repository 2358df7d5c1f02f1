// The life of an HTTP/1 connection from a client: requests, one after another.
//
// Not supported: answering pipelined requests at the same time (they are answered in order, one by one), CONNECT,
// TRACE.
#pragma once

#include "proxy/client.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// `context` and `listener` outlive it; `arrival` need only be there until it first waits. It ends by itself, when the
// client is cancelled, or, after Client::finish(), with the request that it has or still gets.
runtime::Task<void> serve_http(Context& context, ListenerContext& listener, const Arrival& arrival);

}  // namespace fairlead::proxy
