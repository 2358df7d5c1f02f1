// Telling servers for whom we connect: by the PROXY protocol, or by the client's own address.
#pragma once

#include "proxy/client.h"
#include "upstream/server.h"

namespace fairlead::proxy {

// A connection that the lease opens begins with a header about the client or comes from its address, and it takes none
// of another client's out of the pool. Requires that the backend wants either.
void introduce(Client& client, const config::Backend& settings, upstream::Lease& lease);

}  // namespace fairlead::proxy
