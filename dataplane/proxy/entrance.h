// Who may come in: limits for connections, rules for addresses, and the PROXY header that says whose a connection is.
#pragma once

#include "net/acceptor.h"
#include "proxy/context.h"
#include "runtime/task.h"

namespace fairlead::proxy {

class Client;

// A connection that was let in, or is to be looked at when its PROXY header has come.
struct Arrival {
  net::Accepted accepted{};
  // It begins with a PROXY header, which is not the client's.
  bool brings_header = false;
  // It has a place in the counts of client addresses.
  bool is_counted = false;
};

// What can be said of a connection before anything of it is read. False: it is to be closed, which is counted.
bool may_enter(Context& context, ListenerContext& listener, Arrival& arrival);

// Reads the header and gives the client its address; then what holds for addresses holds for that. False: it is to be
// closed, which is counted. Requires brings_header.
runtime::Task<bool> enter_with_header(Client& client);

}  // namespace fairlead::proxy
