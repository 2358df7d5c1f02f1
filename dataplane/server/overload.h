// Whether the process is short of memory or descriptors, and what is done about it, on a thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "proxy/process_state.h"
#include "server/limits.h"

namespace fairlead::server {

// What is done at `share` of a limit, where `present` is done now: a step begins at 0.8, 0.9 and 1, and ends 0.05
// below. Pure.
proxy::OverloadStep next_step(proxy::OverloadStep present, double share);

// "no_keep_alive"
std::string_view name_of(proxy::OverloadStep step);

class Overload {
 public:
  // `on_step` is called when the step has changed, with what is short: "memory: 912 of 1024 MiB"; and once more for
  // each look as long as it is kShed. On a thread of this object's.
  using OnStep = std::function<void(proxy::OverloadStep step, bool is_new, const std::string& reason)>;
  Overload(proxy::ProcessState& state, const ProcessLimits& limits, OnStep on_step);
  ~Overload() { stop(); }

  // Nothing where there is no limit to look after.
  void start();
  void stop();

 private:
  void run();
  void look();

  proxy::ProcessState& state_;
  const ProcessLimits limits_;
  const OnStep on_step_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace fairlead::server
