// Where the load of a backend comes from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fairlead::sources {

struct ServerLoad {
  std::string server;
  std::uint64_t in_flight = 0;
};

// What one data plane has in flight for the backend, in this moment.
struct LoadSample {
  // Sent to servers or waiting for one.
  std::uint64_t in_flight = 0;
  // Of two with one name - the earlier is deleted and finishes what it has - the later is the one that exists.
  std::vector<ServerLoad> servers;
};

using LoadListener = std::function<void(LoadSample)>;

}  // namespace fairlead::sources
