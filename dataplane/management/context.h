// What the services and their streams share. Outlives the server by as long as the store or a worker owes somebody an
// answer: those come to an executor that has stopped, and are dropped.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "management/counts.h"
#include "management/executor.h"
#include "management/guard.h"
#include "management/peers.h"
#include "management/streams.h"
#include "observe/statistics.h"
#include "store/store.h"

namespace fairlead::management {

// Told in GetInfo and `opened`.
inline constexpr uint32_t kMessageBytesMax = 4u << 20;
// Of a session: two of the largest transactions.
inline constexpr uint32_t kUnansweredOperationsMax = 20'000;

struct Context {
  store::Store& store;
  observe::Collector& collector;
  std::string build;
  uint32_t workers = 0;
  uint32_t sessions_max = 0;
  // A session from which nothing came for so long is ended.
  std::chrono::nanoseconds silence{};
  std::chrono::steady_clock::time_point started;
  std::shared_ptr<Counts> counts;
  Peers peers{};
  Guard guard{*counts};
  Streams streams{sessions_max, silence};
  Executor executor{};
  // For what waits for the disk: what is found in a moment,
  Executor reading{};
  // and what may look through much of the history, which nobody who opens a session has to wait for. So many may wait.
  static constexpr int kSearchesMax = 64;
  Executor searching{};
  std::atomic<int> searches = 0;
};

}  // namespace fairlead::management
