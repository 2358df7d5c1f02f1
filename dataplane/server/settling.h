// What a process that takes over has to hear before it accepts: the first word about each name, and about each server
// that is checked. Until then the other process knows better than this one whom requests may go to.
//
// Any thread. Costs nothing before begin() and after end().
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "config/model.h"

namespace fairlead::server {

class Settling {
 public:
  void begin() { on_ = true; }
  void end();
  bool is_on() const { return on_.load(std::memory_order_relaxed); }

  void expect(const std::vector<std::string>& names) { change(names_, names, true); }
  void expect(const std::vector<config::Uid>& servers) { change(servers_, servers, true); }
  // Something was said, or nobody asks any more.
  void settle(const std::vector<std::string>& names) { change(names_, names, false); }
  void settle(const std::vector<config::Uid>& servers) { change(servers_, servers, false); }

  // Nothing is expected now; false: something is at that moment still.
  bool wait_until(std::chrono::steady_clock::time_point deadline);

 private:
  template <typename Key>
  void change(absl::flat_hash_set<Key>& all, const std::vector<Key>& some, bool expected);

  std::atomic<bool> on_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  absl::flat_hash_set<std::string> names_;    // guarded by mutex_
  absl::flat_hash_set<config::Uid> servers_;  // guarded by mutex_
};

}  // namespace fairlead::server
