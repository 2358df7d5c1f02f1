// Checks servers again and again: all of a process, on one loop that carries no traffic.
//
// Each server has its next moment; then it waits in a queue, of which so many are started in a turn and so many are
// under way at a time, so that a hundred thousand at once are a queue and not a storm. What they find goes through
// thresholds, and what changes is told, several at a time. Never two checks of one server at once. One thread: the
// loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/intrusive_list.h"
#include "base/random.h"
#include "config/agent_state.h"
#include "health/attempt.h"
#include "health/thresholds.h"
#include "observe/statistics.h"
#include "runtime/scope.h"
#include "runtime/timer_wheel.h"

namespace fairlead::health {

// A server to be checked, and its agent to be asked, as its backend's settings say.
struct Order {
  base::Ref<const config::Backend> backend;
  base::Ref<const config::Server> server;
  // Told with the results.
  uint64_t check = 0;
  bool in_service = false;
};

struct Result {
  config::BackendHandle backend;
  config::Slot slot = 0;
  config::Uid server = 0;
  uint64_t check = 0;
  // Of a check.
  bool is_up = false;
  std::string reason;
  // Of an agent.
  std::optional<config::AgentState> agent{};
  // Of an ejection (outliers.h), which has nothing to do with a check.
  std::optional<config::EjectionChange> ejection{};
};

struct CheckerOptions {
  uint64_t seed = 0;
  // Each has a descriptor.
  size_t under_way_max = 4096;
  size_t starts_per_turn = 32;
};

class Checker {
 public:
  using TakeResults = std::function<void(std::vector<Result>)>;

  Checker(runtime::Loop& loop, const CheckerOptions& options, TakeResults take_results);
  // Requires that close() is over.
  ~Checker();

  // Where it is checked already: another number begins anew, the same goes on with this record.
  void check(const Order& order);
  // Of the servers of this backend that are checked; they follow soon, spread.
  void change(const base::Ref<const config::Backend>& backend);
  // Errors of its traffic; nothing where the server is not checked.
  void observe_errors(config::Uid server, config::OnError action, const std::string& reason);
  // Hears of each check that succeeds: the backend, the server, when it began, and what it found.
  using OnSuccess =
      std::function<void(config::Uid backend, config::Uid server, runtime::TimePoint began, const std::string& reason)>;
  void on_success(OnSuccess heard) { on_success_ = std::move(heard); }
  // Nothing is told of it any more.
  void stop(config::Uid server);
  // Breaks off all there is, and waits for its end.
  runtime::Task<void> close();

  // Checks that are under way.
  size_t under_way() const { return under_way_; }
  std::vector<observe::CheckStatistics> statistics() const;

 private:
  // A server or its agent.
  using Key = std::pair<config::Uid, Role>;
  struct DueTag {};
  struct GroupTag {};
  struct Group;
  struct Subject;

  void check(const Order& order, Role role);
  void stop(const Key& key);
  Group& group_of(const base::Ref<const config::Backend>& backend);
  void make_due(Subject& subject);
  void schedule(Subject& subject, runtime::TimePoint began, bool is_first);
  void start_due();
  void start_more();
  runtime::Task<void> run(Subject& subject);
  void take(Subject& subject, Finding finding);
  void note(Subject& subject, bool has_changed, Finding finding);
  void take_answer(Subject& subject, Finding finding);
  void tell(const Subject& subject, bool is_up, std::string reason);
  Result& new_result(const Subject& subject);
  void erase(Subject& subject);

  struct StartTimer : runtime::Timer {
    StartTimer(Fire fire, Checker& owner) : Timer(fire), checker(owner) {}
    Checker& checker;
  };
  struct Telling : runtime::Waiter {
    explicit Telling(Checker& owner) : Waiter(&Telling::on_wake), checker(owner) {}
    static void on_wake(Waiter& waiter, runtime::Wake wake);
    Checker& checker;
  };

  runtime::Loop& loop_;
  const CheckerOptions options_;
  const TakeResults take_results_;
  OnSuccess on_success_ = [](auto&&...) {};
  base::Random random_;
  Equipment equipment_;
  // Of backends with a server here, by uid.
  absl::flat_hash_map<config::Uid, std::unique_ptr<Group>> groups_;
  // One that was stopped stays until what is under way is over.
  absl::flat_hash_map<Key, std::unique_ptr<Subject>> subjects_;
  base::List<Subject, DueTag> due_;
  StartTimer start_timer_;
  std::vector<Result> results_;
  Telling telling_{*this};
  runtime::Scope scope_;
  size_t under_way_ = 0;
  bool closed_ = false;
};

}  // namespace fairlead::health
