// What fairlead-updates can do, each with its own session; blocks its thread. Prints nothing: a summary is one object
// of JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace fairlead::updates {

struct Settings {
  std::string management;
  // The backend must exist.
  std::string backend;
  // Numbers of the servers: s0000000 and on, each at an address of its own.
  uint32_t servers = 0;
  uint32_t operations_per_transaction = 1000;
  // 0: without an election id.
  uint64_t election_id = 0;
  // Of changes and toggles.
  double operations_per_second = 0;
  // Of toggle().
  std::string server;
  uint32_t times = 0;
  std::chrono::nanoseconds duration{};
};

// Adds all servers as fast as the window lets it, and says how fast the first 100,000 were, the last, and all.
absl::StatusOr<std::string> add(const Settings& settings);

// Changes the weight of one server after the other, all through `duration`, at `operations_per_second`; with how long
// the answers took. Transactions that are due go out whether the last is answered or not.
absl::StatusOr<std::string> change(const Settings& settings);

// Drains the server and makes it ready again, in turn, so many times in all.
absl::StatusOr<std::string> toggle(const Settings& settings);

// Resyncs of the backend with what add() has added, so that nothing differs: one after the other for `duration`, at
// least one, each on a session of its own.
absl::StatusOr<std::string> resync(const Settings& settings);

}  // namespace fairlead::updates
