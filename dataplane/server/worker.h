// A worker: one thread with one loop, and all that lives on it.
#pragma once

#include <atomic>
#include <thread>

#include "listener/listeners.h"
#include "observe/access_log.h"
#include "observe/statistics.h"
#include "proxy/context.h"
#include "runtime/epoll_driver.h"
#include "runtime/loop.h"
#include "server/scheduling.h"

namespace fairlead::server {

struct WorkerOptions {
  int number = 0;
  uint64_t seed = 0;
  // One for all workers; outlives them.
  upstream::Shared& shared;
  // Outlives the worker.
  std::string_view via_name;
  // Null: none. Outlives the worker.
  observe::AccessLog* access_log = nullptr;
  // One for all workers; outlives them. Null: the process has no limits.
  proxy::ProcessState* process = nullptr;
};

// Made and started by Workers. `on_adopted` is called on the worker's thread, after it began to use another snapshot.
class Worker {
 public:
  Worker(const WorkerOptions& options, const config::Snapshot* first, std::function<void()> on_adopted);
  ~Worker();

  // The newest snapshot; it is used from the worker's next turn on. It must live until adopted_revision() is greater
  // than its revision, or the worker has ended. From one thread.
  void publish(const config::Snapshot* snapshot);
  // What the worker uses.
  config::Revision adopted_revision() const { return adopted_revision_.load(std::memory_order_acquire); }

  // Runs on the worker's thread, after all that was published before has been adopted; what is posted while the worker
  // ends, in join().
  void post(absl::AnyInvocable<void(Worker&)> message);
  // These on the worker's thread.
  proxy::Context& context() { return context_; }
  listener::Listeners& listeners() { return listeners_; }
  observe::Statistics statistics(bool servers);
  std::vector<observe::Traffic> traffic(const std::vector<observe::Carrier>& carriers);

  void start(WorkerClass worker_class = WorkerClass::kFair);
  // Stops accepting, lets sessions finish until the timeout (idle ones at most for `idle_grace`), cuts off what is
  // left. Returns at once; join() waits.
  void stop(runtime::Duration timeout, runtime::Duration idle_grace);
  void join();

 private:
  // Gives memory back that a burst has left behind: looks at intervals, and takes what nobody has needed meanwhile.
  class Trimming : runtime::Timer {
   public:
    explicit Trimming(Worker& worker);

   private:
    static void on_fire(Timer& timer);
    void schedule();
    Worker& worker_;
    size_t freed_ = 0;
  };

  void adopt();
  runtime::Task<void> shut_down(runtime::Duration timeout, runtime::Duration idle_grace);
  runtime::Task<void> cut_off_at(runtime::TimePoint deadline);

  const int number_;
  std::function<void()> on_adopted_;
  std::atomic<const config::Snapshot*> published_;
  std::atomic<config::Revision> adopted_revision_;
  std::atomic<bool> woken_ = false;

  runtime::EpollDriver driver_;
  runtime::Loop loop_;
  proxy::Context context_;
  listener::Listeners listeners_;
  runtime::Scope closing_;
  Trimming trimming_{*this};
  bool finished_ = false;
  std::thread thread_;
};

}  // namespace fairlead::server
