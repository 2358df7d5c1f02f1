// The reading half, as the writing half sees it: all workers as one, and the checker and the resolver beside them.
//
// The calls of ReadingHalf come from the store's thread; collect() and count_traffic() from any; stop() when the
// store has ended. Owns the workers, the snapshots that any of them may still use, sockets between bind() and accept(),
// and the files of Unix sockets.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "net/socket_file.h"
#include "observe/statistics.h"
#include "server/checker_thread.h"
#include "server/inheritance.h"
#include "server/resolver_thread.h"
#include "server/settling.h"
#include "server/worker.h"
#include "store/reading_half.h"

namespace fairlead::server {

class Workers : public store::ReadingHalf, public observe::Collector {
 public:
  // `via_name`: how this process calls itself in Via. `access_log` outlives this; null where there is none.
  Workers(int count, std::string via_name, observe::AccessLog* access_log, const names::Settings& resolver = {});
  ~Workers() override;

  // What all of them look at; limits are set before start().
  proxy::ProcessState& process() { return process_; }
  // Idle connections of clients are closed. By any thread.
  void shed();
  // What bind() takes where it is for the address that it is to open. Before the store begins.
  void inherit(std::shared_ptr<Inheritance> inheritance) { inheritance_ = std::move(inheritance); }
  // No listener may have this address, where this process listens for what this setting says. Before any client can
  // write.
  void reserve(config::Endpoint address, std::string setting);
  // Listeners do not accept before begin_accepting(), which may wait for what this tells. Before the store begins.
  Settling& hold_listeners() {
    settling_.begin();
    return settling_;
  }
  // By any thread, as long as no listener changes. Once.
  void begin_accepting();
  // Copies of all listening sockets, for another process. Waits for the workers, which turn; by any thread, as long as
  // no listener changes.
  std::vector<takeover::Offer> copy_sockets();
  // Another process accepts at these addresses from now on, and has the files of Unix sockets: this one does no more.
  // By any thread; returns at once.
  void leave(const std::vector<std::string>& bound);

  size_t size() const { return workers_.size(); }
  void start(WorkerClass worker_class = WorkerClass::kFair);
  // For how long an idle keep-alive connection may still begin a request when its listener ends: long enough for one
  // that is on its way.
  static constexpr runtime::Duration kIdleGrace = std::chrono::seconds(1);
  // Stops accepting, lets sessions finish for up to `timeout`, idle ones for up to `idle_grace`, cuts off the rest, and
  // waits for all that.
  void stop(runtime::Duration timeout, runtime::Duration idle_grace = kIdleGrace);

  // store::ReadingHalf
  absl::StatusOr<std::vector<config::Endpoint>> bind(config::Uid listener,
                                                     const std::vector<config::Endpoint>& addresses) override;
  void unbind(config::Uid listener) override;
  void close_addresses(config::Uid listener, const std::vector<config::Endpoint>& bound) override;
  void accept(config::Slot slot, config::Uid listener) override;
  void stop_accepting(config::Uid listener) override;
  void publish(base::Ref<const config::Snapshot> snapshot, std::function<void()> visible) override;
  void drain(const store::DrainOrder& order, std::function<void(store::Drained)> drained) override;
  void cancel_drain(config::BackendHandle backend, config::Slot slot, config::Uid server) override;
  void close_connections(config::BackendHandle backend, config::Slot slot, config::Uid server) override;
  void close_idle_connections(config::BackendHandle backend, config::Slot slot, config::Uid server) override;
  void follow_pool(config::BackendHandle backend) override;
  void warm(std::vector<store::WarmOrder> orders) override;
  void on_check_results(std::function<void(std::vector<store::CheckResult>)> take) override;
  void check(std::vector<store::CheckOrder> orders) override;
  void change_checks(base::Ref<const config::Backend> backend) override;
  void stop_checks(std::vector<config::Uid> servers) override;
  void observe(base::Ref<const config::Backend> backend, uint64_t servers) override;
  void stop_observing(config::Uid backend) override;
  void forget_ejections(config::Uid backend, config::Uid server) override;
  void on_name_facts(std::function<void(std::vector<store::NameFact>)> take) override;
  void resolve(std::vector<std::string> names) override;
  void stop_resolving(std::vector<std::string> names) override;

  // observe::Collector
  void collect(bool servers, std::function<void(observe::Statistics)> done) override;
  void count_traffic(std::vector<observe::Carrier> carriers,
                     std::function<void(std::vector<observe::Traffic>)> done) override;
  void explain(observe::Question question, std::function<void(observe::Explanation)> done) override;

 private:
  // An address of a listener, with at least one socket for each worker, until they have taken them: the n-th is for the
  // (n % size)-th worker.
  struct Bound {
    config::Endpoint endpoint;
    std::vector<int> fds;
    // Not yet where another listener's sockets still serve there.
    bool is_listening = true;
    net::SocketFile file{};
  };
  // One that the workers have taken.
  struct Open {
    config::Endpoint endpoint;
    net::SocketFile file;
  };
  struct BoundListener {
    std::vector<Bound> waiting;
    std::vector<Open> open;
    std::shared_ptr<proxy::SharedListener> shared = std::make_shared<proxy::SharedListener>();
  };
  // A listener that the workers are to accept on.
  struct Accepting {
    base::Ref<const config::Listener> record;
    std::shared_ptr<proxy::SharedListener> shared;
    std::vector<Bound> addresses;
  };
  struct Publication {
    config::Revision revision;
    std::function<void()> visible;
  };

  // The workers close a listener's sockets a moment after they were told to. Until then its addresses may be bound
  // again.
  static constexpr runtime::Duration kClosingTime = std::chrono::seconds(5);
  void remember_closing(const config::Endpoint& endpoint);
  bool is_closing(const config::Endpoint& endpoint);

  // Whether sockets of listeners stand where this one is to open its own; those that it has at this very address are
  // none of them.
  bool is_held(config::Uid listener, const config::Endpoint& address) const;
  // What was inherited for the address; nothing where there is none.
  std::optional<Bound> take_inherited(config::Uid listener, const config::Endpoint& address);
  absl::StatusOr<Bound> open_sockets(config::Uid listener, const config::Endpoint& address);
  absl::StatusOr<Bound> open_beside_ours(const config::Endpoint& address);
  static void start_listening(Bound& bound);
  void hand_out(Accepting accepting);
  static void close_sockets(Bound& bound);
  config::Revision adopted_by_all() const;
  void take_check_results(std::vector<health::Result> results);
  void gather_outcomes(config::BackendHandle backend);
  void take_name_facts(std::vector<names::Fact> facts);
  // Tells those who wait for a revision that every worker has by now. On any thread.
  void report_adopted();
  void reclaim();

  const std::string via_name_;
  std::shared_ptr<Inheritance> inheritance_;
  struct Reserved {
    config::Endpoint address;
    std::string setting;
  };
  std::vector<Reserved> reserved_;
  std::vector<config::Endpoint> left_;  // guarded by mutex_
  Settling settling_;
  std::vector<Accepting> held_;  // guarded by mutex_
  base::Ref<const config::Snapshot> current_;
  // Former snapshots that a worker may still use, oldest first.
  std::deque<base::Ref<const config::Snapshot>> former_;
  absl::flat_hash_map<config::Uid, BoundListener> bound_;
  std::map<config::Endpoint, runtime::TimePoint> closing_;
  upstream::Shared shared_;
  proxy::ProcessState process_;
  std::vector<std::unique_ptr<Worker>> workers_;
  // Set before there is anything to check.
  std::function<void(std::vector<store::CheckResult>)> on_check_results_;
  CheckerThread checker_;
  std::function<void(std::vector<store::NameFact>)> on_name_facts_;
  ResolverThread resolver_;

  std::mutex mutex_;
  std::deque<Publication> unseen_;  // guarded by mutex_
  bool stopped_ = false;            // guarded by mutex_
  // What the workers had counted when they ended.
  observe::Statistics last_;  // guarded by mutex_
};

}  // namespace fairlead::server
