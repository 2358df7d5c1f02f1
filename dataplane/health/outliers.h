// Who is ejected, and for how long: all decisions of a process, on the loop that checks servers.
//
// Workers count how servers serve. They report errors in a row when there are enough of them, and are asked for the
// rest once in an interval, where that is looked at. What is decided is told, one or several at a time, and is in force
// when the store has published it; what the store does not take (the server has gone meanwhile) ends here with its
// time. How many servers there are is the store's to say. One thread: the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "config/model.h"
#include "health/checker.h"
#include "health/outlier_statistics.h"
#include "observe/statistics.h"
#include "runtime/loop.h"
#include "runtime/timer_wheel.h"

namespace fairlead::health {

// From a worker: so many errors in a row.
struct ErrorReport {
  config::BackendHandle backend;
  config::Slot slot = 0;
  config::Uid server = 0;
  uint32_t errors = 0;
  // All of them were gateway errors, and that is what they were counted for.
  bool gateway = false;
};

class Outliers {
 public:
  struct Outside {
    // Asks all workers what they have counted of the backend since they were asked last; take() gets the sums.
    std::function<void(config::BackendHandle)> gather;
    std::function<void(std::vector<Result>)> tell;
    // Errors in a row that are for the server's checks.
    std::function<void(config::Uid server, config::OnError action, const std::string& reason)> act;
  };

  Outliers(runtime::Loop& loop, Outside outside);
  ~Outliers();

  // The backend is observed from now on, or as these settings say; so many servers would take requests if nobody were
  // ejected.
  void observe(const base::Ref<const config::Backend>& backend, uint64_t servers);
  // Not any more: all that is known of it is forgotten, and nothing of it told.
  void stop(config::Uid backend);
  // The same for one of its servers.
  void forget(config::Uid backend, config::Uid server);

  void take(const ErrorReport& report);
  void take(config::BackendHandle backend, const std::vector<Outcomes>& counts);
  // A check of the server that began then.
  void check_succeeded(config::Uid backend, config::Uid server, runtime::TimePoint began, const std::string& reason);

  std::vector<observe::EjectionStatistics> statistics() const;

 private:
  struct Group;
  struct Subject;

  static config::BackendHandle handle_of(const Group& group);
  void look(Group& group);
  void eject(Group& group, config::Slot slot, config::Uid server, const std::string& reason);
  void give_back(Group& group, Subject& subject, const std::string& reason);
  void give_back_surplus(Group& group);
  void on_time(Subject& subject);
  void tell(const Group& group, const Subject& subject, const config::EjectionChange& change, std::string reason);

  runtime::Loop& loop_;
  const Outside outside_;
  // By the backend's uid.
  absl::flat_hash_map<config::Uid, std::unique_ptr<Group>> groups_;
};

}  // namespace fairlead::health
