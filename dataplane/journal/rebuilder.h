// Writes the whole journal anew after a failure, on a thread of its own, again and again until it succeeds.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "journal/file.h"
#include "journal/rows.h"
#include "journal/state_directory.h"

namespace fairlead::journal {

class Rebuilder {
 public:
  // `directory` outlives this. `failed` is told of each try that did not succeed, `done` that one did; both on the
  // thread.
  struct Work {
    State state;
    EachRow rows;
    // Of the file that is there.
    bool keep_history;
    std::function<void(const absl::Status&)> failed;
    std::function<void()> done;
  };
  Rebuilder() = default;
  // Gives up what is not done.
  ~Rebuilder();
  void start(StateDirectory& directory, Work work);

 private:
  void run(StateDirectory& directory);
  // False: it is to end.
  bool pause(std::chrono::milliseconds time);

  Work work_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace fairlead::journal
