// Telling servers for whom we connect, by the PROXY protocol.
#pragma once

#include "proxy/client.h"
#include "upstream/server.h"

namespace fairlead::proxy {

// A connection that the lease opens begins with a header about the client, and it takes none of another client's out of
// the pool. Requires that the backend wants that.
void introduce(Client& client, const config::Backend& settings, upstream::Lease& lease);

}  // namespace fairlead::proxy
