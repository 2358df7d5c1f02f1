// What has to follow a transaction once it is published, in order.
#pragma once

#include <cstddef>
#include <variant>
#include <vector>

#include "config/model.h"
#include "config/route_table.h"
#include "store/events.h"

namespace fairlead::store {

struct AcceptListener {
  config::Slot slot;
  config::Uid uid;
};
struct StopListener {
  config::Uid uid;
};
// Those that the listener has taken again before the effect comes to pass stay open.
struct CloseAddresses {
  config::Slot slot;
  config::Uid uid;
  std::vector<config::Endpoint> bound;
};
// A server was deleted, or one that departs got an earlier deadline.
struct DrainDeparting {
  config::Uid uid;
};
// A server's admin state may have changed.
struct FollowAdminState {
  config::BackendHandle backend;
  config::Slot slot;
  config::Uid uid;
  std::shared_ptr<const Origin> origin;
};

// A member of a checked backend was added or changed.
struct FollowCheck {
  config::BackendHandle backend;
  config::Slot slot;
  config::Uid uid;
  std::shared_ptr<const Origin> origin;
};
// How a backend's servers are checked has changed; with `members`, whether they are.
struct FollowChecks {
  config::BackendHandle backend;
  bool members;
};

// A server was marked DOWN: its idle connections are closed, and, unless `idle_only`, what it has in flight.
struct CloseConnections {
  config::BackendHandle backend;
  config::Slot slot;
  config::Uid uid;
  bool idle_only = false;
};

// A server has another address, so that it is not the one that was ejected; or, of slot and uid 0, nobody is ejected
// any more.
struct ForgetEjections {
  config::BackendHandle backend;
  config::Slot slot;
  config::Uid uid;
};

// A member was added or changed that has a name, or had one.
struct FollowName {
  config::BackendHandle backend;
  config::Slot slot;
  config::Uid uid;
  std::shared_ptr<const Origin> origin;
};

// A backend was added, changed or deleted whose servers DNS names, or did.
struct FollowDiscovery {
  config::BackendHandle backend;
};

// How connections of a backend are kept has changed.
struct FollowPool {
  config::BackendHandle backend;
};

using Effect = std::variant<AcceptListener, StopListener, CloseAddresses, DrainDeparting, FollowAdminState, FollowCheck,
                            FollowChecks, CloseConnections, ForgetEjections, FollowName, FollowDiscovery, FollowPool>;

struct Effects {
  std::vector<Effect> effects;
  std::vector<Event> events;
  // How many of the events are changes of resources: the others are steps.
  size_t changes = 0;

  struct Mark {
    size_t effects, events, changes;
  };
  Mark mark() const { return {effects.size(), events.size(), changes}; }
  void roll_back(Mark mark) {
    effects.resize(mark.effects, AcceptListener{});
    events.resize(mark.events);
    changes = mark.changes;
  }
};

}  // namespace fairlead::store
