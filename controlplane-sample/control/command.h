// What the controller wants done; whoever runs it does so and brings back the answers as events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "providers/provider.h"
#include "session/events.h"

namespace fairlead::control {

struct StartServer {
  std::string name;
};
struct AdoptServer {
  providers::Instance instance;
};
struct StopServer {
  std::string name;
};
struct SubmitChange {
  std::size_t dataplane = 0;
  session::Change change;
};

// Something happened that a person, or the plots of a report, want to see.
struct Report {
  absl::Time time;
  // "server_added"; the list is in event_log.h.
  std::string event;
  // Where the event has them.
  std::string server;
  std::string address;
  std::string dataplane;
  std::string why;
  std::uint64_t cut_off = 0;
  // How things are with the event: servers that take requests, servers wanted, requests in flight.
  int servers = 0;
  int desired = 0;
  double in_flight = 0;
};

using Command = std::variant<StartServer, AdoptServer, StopServer, SubmitChange, Report>;
using Commands = std::vector<Command>;

}  // namespace fairlead::control
