// One exchange that waits for a place on a server of its backend, and all of a worker that wait for one backend.
//
//   Waiting waiting(backend.line(), client's channel, ...);
//   if (!waiting.enter(members, wanted)) ...            too many wait already
//   while (nobody gives up) {
//     co_await waiting.woken();                         whatever the reason is, one looks for it
//     Admission admission = backend.admit_waiting(waiting, ...);
//   }
//
// One thread.
#pragma once

#include <coroutine>
#include <memory>

#include "base/intrusive_list.h"
#include "runtime/channel.h"
#include "runtime/timer_wheel.h"
#include "upstream/shared.h"
#include "upstream/shared_queue.h"

namespace fairlead::config {
struct Snapshot;
struct BackendSnapshot;
}  // namespace fairlead::config

namespace fairlead::upstream {

class Server;
class Waiting;
struct OwnLineTag {};

// Limits grow without a change of the configuration: with the number of those that wait, or with time. Then whoever
// looks for a place looks for more than the one that was let go.
bool limits_move(const config::BackendSnapshot& members);

// Those of one worker that wait for one backend. Linked into `busy` while there is any.
class Line : public base::ListNode<> {
 public:
  Line(runtime::Loop& loop, std::shared_ptr<SharedQueue> queue, config::BackendHandle backend, base::List<Line>& busy);
  ~Line();

  SharedQueue& queue() { return *queue_; }
  runtime::Loop& loop() { return loop_; }
  const QueueSeat& seat() const { return *seat_; }
  uint32_t waiting() const { return waiting_; }
  // visit(uid), for each one that waits for one server alone.
  template <typename Visit>
  void for_each_wanted(Visit visit);

  // The worker has adopted a snapshot: whoever waits for a backend that is gone, or has nobody any more who takes
  // requests, is woken; and where the backend has changed, anything may be free.
  void look_at(const config::Snapshot& snapshot);

 private:
  friend class Waiting;
  friend class QueueSeat;

  // While servers start slowly their limits grow with time, and nobody else says so.
  struct Growth : runtime::Timer {
    explicit Growth(Line& owner) : Timer(&Growth::on_fire), line(owner) {}
    static void on_fire(Timer& timer) { static_cast<Growth&>(timer).line.take_growth(); }
    Line& line;
  };
  void follow_growth(const config::BackendSnapshot& members);
  void take_growth();

  // One of this worker is at the front, perhaps.
  void take_call();
  void enter(Waiting& waiting, const config::BackendSnapshot& members);
  void leave(Waiting& waiting);

  runtime::Loop& loop_;
  const std::shared_ptr<SharedQueue> queue_;
  const config::BackendHandle backend_;
  base::List<Line>& busy_;
  const std::shared_ptr<QueueSeat> seat_;
  base::List<Waiting, OwnLineTag> own_;
  uint32_t waiting_ = 0;
  // The backend's, as last looked at.
  config::Revision seen_ = 0;
  Growth growth_{*this};
  // Until when limits may grow, and how often to look.
  runtime::TimePoint grows_until_;
  config::Duration growth_step_{};
};

class Waiting : public QueueEntry, public base::ListNode<OwnLineTag> {
 public:
  struct Terms {
    // Below config::kPriorities.
    uint8_t priority = config::kPriorityDefault;
    runtime::TimePoint deadline = runtime::kNever;
    // A client that ends its direction of the stream is taken for one that leaves.
    bool leaves_at_end_of_input = false;
  };

  // `client` outlives it.
  Waiting(Line& line, runtime::Channel& client, const Terms& terms);
  ~Waiting();

  // False where too many wait already, by the backend's queue policy. `members`: of this moment. `wanted`: the only
  // server whose place it takes, as long as one may go there; null for any. Where too many want that one it takes any.
  bool enter(const config::BackendSnapshot& members, Server* wanted);
  // From now on. Requires that it wanted one.
  void want_any();
  // That it waits for this one, which it wants, is known wherever that server's load is.
  void count_at(Server& server);
  // Until there is something to look at: a turn, the deadline, the client's leaving, the end of the backend.
  auto woken() { return Woken(*this); }

  bool client_has_left() const {
    return client_.is_hung_up() || client_.is_cancelled() || (terms_.leaves_at_end_of_input && client_.end_of_input());
  }
  bool is_over() const { return line_.loop().now() >= terms_.deadline; }
  SharedQueue::Turn next_turn() { return line_.queue().next_turn(*this); }
  // Once. `more`: as SharedQueue::leave().
  void leave(bool more);

 private:
  friend class Line;

  struct Woken {
    explicit Woken(Waiting& owner) : waiting(owner) {}
    bool await_ready() const { return waiting.is_woken_; }
    void await_suspend(std::coroutine_handle<> handle) { waiting.handle_ = handle; }
    void await_resume() { waiting.is_woken_ = false; }
    Waiting& waiting;
  };
  struct Alarm : runtime::Timer {
    explicit Alarm(Waiting& owner) : Timer(&Alarm::on_fire), waiting(owner) {}
    static void on_fire(Timer& timer) { static_cast<Alarm&>(timer).waiting.wake(); }
    Waiting& waiting;
  };
  struct Watcher : runtime::Waiter {
    explicit Watcher(Waiting& owner) : Waiter(&Watcher::on_wake), waiting(owner) {}
    static void on_wake(Waiter& waiter, runtime::Wake) { static_cast<Watcher&>(waiter).waiting.wake(); }
    Waiting& waiting;
  };
  struct Resumer : runtime::Waiter {
    explicit Resumer(Waiting& owner) : Waiter(&Resumer::on_wake), waiting(owner) {}
    static void on_wake(Waiter& waiter, runtime::Wake);
    Waiting& waiting;
  };

  void stop_counting();
  // At the end of this turn or in the next.
  void wake();

  Line& line_;
  runtime::Channel& client_;
  const Terms terms_;
  std::coroutine_handle<> handle_;
  bool is_woken_ = false;
  bool is_in_ = false;
  SharedLoadRef counted_at_;
  Alarm alarm_{*this};
  Watcher watcher_{*this};
  Resumer resumer_{*this};
};

template <typename Visit>
void Line::for_each_wanted(Visit visit) {
  own_.for_each([&visit](const Waiting& waiting) {
    if (config::Uid wanted = waiting.wanted(); wanted != 0) visit(wanted);
  });
}

}  // namespace fairlead::upstream
