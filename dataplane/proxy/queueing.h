// How a request, or a TCP connection, waits where all servers of its backend are full: the backend's queue policy
// (config/queue_policy.h).
#pragma once

#include <expected>

#include "proxy/client.h"
#include "proxy/faults.h"
#include "proxy/persistence.h"
#include "runtime/task.h"

namespace fairlead::proxy {

struct Queued {
  Client& client;
  config::RouteTarget target;
  // Of this moment, as the members.
  upstream::Backend& backend;
  const config::BackendSnapshot& members;
  balancing::Tried tried;
  balancing::Key key;
  // Where it leads to a server, that one is waited for, as far as the policy lets it; null for a further try.
  const Persistent* persistent;
};

// Requires that Backend::admit() has just refused with kFull. What is admitted is to be taken at once.
runtime::Task<std::expected<upstream::Admission, FaultOrNull>> wait_for_place(Queued queued);

}  // namespace fairlead::proxy
