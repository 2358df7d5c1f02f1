#include "server/worker.h"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <string>

#include "runtime/frame_pool.h"
#include "runtime/sleep.h"

namespace fairlead::server {
namespace {

constexpr runtime::Duration kTrimInterval = std::chrono::seconds(10);
// With less it is not worth it to look through the whole heap.
constexpr size_t kFreedWorthReturning = 64 * 1024;

struct TrafficOf {
  upstream::Upstreams& upstreams;
  const std::vector<observe::ListenerStatistics>& listeners;  // sorted by uid

  observe::Traffic operator()(const observe::ServerHandle& server) const {
    return upstreams.traffic(server.backend, server.slot, server.uid);
  }
  observe::Traffic operator()(const config::BackendHandle& backend) const { return upstreams.traffic(backend); }
  observe::Traffic operator()(const observe::ListenerHandle& listener) const {
    auto at = std::ranges::lower_bound(listeners, listener.uid, {}, &observe::ListenerStatistics::uid);
    return at != listeners.end() && at->uid == listener.uid ? observe::Traffic{at->connections, 0} : observe::Traffic();
  }
};

}  // namespace

Worker::Worker(const WorkerOptions& options, const config::Snapshot* first, std::function<void()> on_adopted)
    : number_(options.number),
      on_adopted_(std::move(on_adopted)),
      published_(first),
      adopted_revision_(first->revision),
      loop_(driver_),
      context_(loop_, options.seed, options.shared, options.via_name),
      listeners_(context_),
      closing_(loop_) {
  context_.upstreams.adopt(first);
  context_.access_log = options.access_log;
  if (options.process) context_.process = options.process;
  context_.worker = static_cast<unsigned>(options.number);
  loop_.set_turn_hook([this] { adopt(); });
}

Worker::~Worker() { join(); }

void Worker::publish(const config::Snapshot* snapshot) {
  published_.store(snapshot, std::memory_order_release);
  if (!woken_.exchange(true, std::memory_order_acq_rel)) loop_.wake();
}

// At the top of each turn: a load, and most often nothing else. Whoever has published has asked for a wake, and each
// wake is taken back here, also that for a snapshot which was seen a turn ago: while one stands, no other is asked for.
void Worker::adopt() {
  if (!woken_.load(std::memory_order_acquire)) [[likely]]
    return;
  // A wake that is asked for from here on is a new one.
  // (An exchange, not a store: what follows must not be read before it.)
  woken_.exchange(false, std::memory_order_acq_rel);
  const config::Snapshot* newest = published_.load(std::memory_order_acquire);
  if (newest == &context_.upstreams.snapshot()) return;
  context_.upstreams.adopt(newest);
  adopted_revision_.store(newest->revision, std::memory_order_release);
  on_adopted_();
}

void Worker::post(absl::AnyInvocable<void(Worker&)> message) {
  loop_.post_message([this, message = std::move(message)]() mutable { message(*this); });
}

observe::Statistics Worker::statistics(bool servers) {
  observe::Statistics result;
  result.backends = context_.upstreams.statistics(servers);
  result.listeners = listeners_.statistics();
  if (context_.access_log) result.log_lines_dropped = context_.access_log->dropped_by_worker(context_.worker);
  return result;
}

std::vector<observe::Traffic> Worker::traffic(const std::vector<observe::Carrier>& carriers) {
  std::vector<observe::ListenerStatistics> listeners;
  auto is_listener = [](const observe::Carrier& carrier) {
    return std::holds_alternative<observe::ListenerHandle>(carrier);
  };
  if (std::ranges::any_of(carriers, is_listener)) listeners = listeners_.statistics();
  std::vector<observe::Traffic> counts;
  counts.reserve(carriers.size());
  for (const observe::Carrier& carrier : carriers) {
    counts.push_back(std::visit(TrafficOf{context_.upstreams, listeners}, carrier));
  }
  return counts;
}

Worker::Trimming::Trimming(Worker& worker) : Timer(&Trimming::on_fire), worker_(worker) { schedule(); }

void Worker::Trimming::schedule() { worker_.loop_.timers().schedule(*this, worker_.loop_.now() + kTrimInterval); }

void Worker::Trimming::on_fire(Timer& timer) {
  auto& self = static_cast<Trimming&>(timer);
  self.freed_ += self.worker_.context_.buffers.trim() + runtime::trim_frames();
  // What was freed amid the heap is the process's still.
  if (self.freed_ >= kFreedWorthReturning) {
    malloc_trim(0);
    self.freed_ = 0;
  }
  self.schedule();
}

void Worker::start(WorkerClass worker_class) {
  thread_ = std::thread([this, worker_class] {
    pthread_setname_np(pthread_self(), ("worker-" + std::to_string(number_)).c_str());
    enter(worker_class);
    loop_.run();
  });
}

void Worker::stop(runtime::Duration timeout, runtime::Duration idle_grace) {
  post([=](Worker& self) { self.closing_.spawn(self.shut_down(timeout, idle_grace)); });
}

runtime::Task<void> Worker::shut_down(runtime::Duration timeout, runtime::Duration idle_grace) {
  listeners_.finish_all(idle_grace);
  context_.upstreams.warming().stop();
  runtime::Scope deadline(loop_);
  deadline.spawn(cut_off_at(loop_.now() + timeout));
  co_await listeners_.join();
  co_await context_.upstreams.warming().join();
  finished_ = true;
  co_await deadline.join();
  loop_.stop();
}

runtime::Task<void> Worker::cut_off_at(runtime::TimePoint deadline) {
  // In steps, so that it ends soon after the rest has.
  while (!finished_ && loop_.now() < deadline) {
    co_await runtime::Sleep(loop_, std::min(deadline, loop_.now() + std::chrono::milliseconds(50)));
  }
  if (!finished_) listeners_.cut_off_all();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
  // It may never have begun.
  context_.upstreams.warming().stop();
  loop_.run_late_messages();
}

}  // namespace fairlead::server
