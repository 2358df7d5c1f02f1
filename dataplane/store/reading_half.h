// What the writing half asks of the reading half. server/ implements it over the real workers; tests use a fake.
//
// All calls come from the store's thread; none waits for a worker.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/agent_state.h"
#include "config/snapshot.h"
#include "config/text.h"

namespace fairlead::store {

// How a server's requests and connections in flight are to end.
struct DrainOrder {
  config::BackendHandle backend;
  config::Slot slot = 0;
  config::Uid server = 0;
  // From now; what is left is closed then. Unset: may go on without a deadline (admin state DRAIN).
  std::optional<config::Duration> timeout;
  config::Duration jitter{};
  // The server is deleted: what the workers keep of it (its counters) goes when it is drained.
  bool leaves = false;
};

// A server that begins to take requests, and how many connections are to be opened to it before it is asked for them.
struct WarmOrder {
  config::BackendHandle backend;
  config::Slot slot = 0;
  config::Uid server = 0;
  // Over all workers.
  uint32_t connections = 0;
};

// What became of a DrainOrder, over all workers.
struct Drained {
  config::Uid server = 0;
  uint64_t cut_off = 0;
};

// A server that is to be checked, as its backend's settings say.
struct CheckOrder {
  base::Ref<const config::Backend> backend;
  base::Ref<const config::Server> server;
  // Told with its results.
  uint64_t check = 0;
  // It takes requests until its first check says otherwise; else it takes none before one has succeeded.
  bool in_service = false;
};

// What a check has found: where that changes what was known, and the reason of a failure wherever that changes. Or what
// the server's agent says, where that changes.
struct CheckResult {
  config::BackendHandle backend;
  config::Slot slot = 0;
  config::Uid server = 0;
  uint64_t check = 0;
  bool is_up = false;
  // As in ServerStatus.health_reason; never empty.
  std::string reason;
  // Of an agent; then the check's fields say nothing.
  std::optional<config::AgentState> agent{};
  // An ejection or its end; then `reason` says why, and the other fields of the check nothing.
  std::optional<config::EjectionChange> ejection{};
};

// What is known of a name.
struct NameFact {
  // An SRV name as config::service_question() has it.
  std::string name;
  // What a server may have, best first, without ports. Empty: nothing.
  std::vector<config::Endpoint> addresses;
  // Of an SRV name: the same, each target and port once; by priority, then by target and port.
  std::vector<config::Service> services;
  // How many of these are in the last good answer; the others are still held for those that have them.
  size_t present = 0;
  // As in ServerStatus.resolution and DiscoveryStatus; never empty.
  std::string reason;
};

// What bind() says of an address where this process itself listens, as this setting of its says.
inline absl::Status own_address(const config::Endpoint& address, std::string_view setting) {
  return absl::InvalidArgumentError(
      config::concat(address.to_string(), " is where ", setting, " of this data plane is"));
}

class ReadingHalf {
 public:
  virtual ~ReadingHalf() = default;

  // Opens the sockets of a listener, for all workers, without accepting yet. Returns the addresses as bound; the error
  // names the address and the reason (INVALID_ARGUMENT where no listener can ever have it, because this process itself
  // listens there), and nothing of this call stays open then. Called again for a listener that is
  // open (its `bind` changes), it opens these addresses beside those that it has.
  //
  // An address that another listener of the published snapshot has is no conflict: it is about to give it up. Until
  // accept() is called all connections go to that one. (Not so for a Unix socket, whose path only one can have.)
  virtual absl::StatusOr<std::vector<config::Endpoint>> bind(config::Uid listener,
                                                             const std::vector<config::Endpoint>& addresses) = 0;
  // Closes all that bind() opened, in a transaction that was refused after it, or before accept() was called.
  virtual void unbind(config::Uid listener) = 0;
  // Closes some of a listener's sockets, named as bound: those that a refused change had added, or, after the
  // publication, those that a change removed. The others stay open, and so do connections.
  virtual void close_addresses(config::Uid listener, const std::vector<config::Endpoint>& bound) = 0;
  // Begins to accept on all open sockets of a listener that is in the published snapshot (those that accept already go
  // on); stops accepting, and closes all sockets, on one that is no longer in it.
  virtual void accept(config::Slot slot, config::Uid listener) = 0;
  virtual void stop_accepting(config::Uid listener) = 0;

  // Makes `snapshot` what the workers see. `visible` is called, on any thread, when every worker uses it or a later
  // one.
  virtual void publish(base::Ref<const config::Snapshot> snapshot, std::function<void()> visible) = 0;

  // After the publication of a snapshot in which the server is not eligible. `drained` is called once, on any thread,
  // when no worker has anything in flight on it: at the deadline at the latest. A second order for the same server (an
  // earlier deadline) replaces the first; the callbacks of both are called, the first's not later than the second's and
  // with all that was cut off since it was given. After cancel_drain() none is called.
  virtual void drain(const DrainOrder& order, std::function<void(Drained)> drained) = 0;
  // Ends a drain without a deadline: the server takes requests again.
  virtual void cancel_drain(config::BackendHandle backend, config::Slot slot, config::Uid server) = 0;

  // After the publication of a snapshot in which the server is not eligible: closes its idle connections and cuts off
  // what is in flight on it, once. A server that takes requests again by then loses them as well.
  virtual void close_connections(config::BackendHandle backend, config::Slot slot, config::Uid server) = 0;
  // Only the former.
  virtual void close_idle_connections(config::BackendHandle backend, config::Slot slot, config::Uid server) = 0;

  // After the publication of a snapshot in which this backend keeps its connections in another way: holds for those
  // that are idle, too, which else nobody looks at before they are used or their time is over.
  virtual void follow_pool(config::BackendHandle backend) = 0;

  // After the publication of a snapshot in which these are eligible. What they have open already counts.
  virtual void warm(std::vector<WarmOrder> orders) = 0;

  // Where results go, from any thread. Before the first order.
  virtual void on_check_results(std::function<void(std::vector<CheckResult>)> take) = 0;
  // Begins to check each of these. For a server that is checked already: with the same number, goes on with the record
  // that it has now; with another, begins anew.
  virtual void check(std::vector<CheckOrder> orders) = 0;
  // How those of its servers that are checked are checked from now on.
  virtual void change_checks(base::Ref<const config::Backend> backend) = 0;
  // Breaks off what is under way. Results of before may still come.
  virtual void stop_checks(std::vector<config::Uid> servers) = 0;

  // Servers of this backend, which has outlier detection, are ejected from now on as it says; again where its settings
  // change, or `servers`: how many of them would take requests if nobody were ejected. What is decided comes as a
  // result.
  virtual void observe(base::Ref<const config::Backend> backend, uint64_t servers) = 0;
  // Forgets all ejections. Results of before may still come.
  virtual void stop_observing(config::Uid backend) = 0;
  // Those of one server.
  virtual void forget_ejections(config::Uid backend, config::Uid server) = 0;
  // Where it goes what is known of names, from any thread, whenever that changes. Before the first order.
  virtual void on_name_facts(std::function<void(std::vector<NameFact>)> take) = 0;
  // Begins to resolve each of these (SRV names are as config::service_question() has them), and goes on until
  // stop_resolving(): each once in between. Facts of before may still come.
  virtual void resolve(std::vector<std::string> names) = 0;
  virtual void stop_resolving(std::vector<std::string> names) = 0;
};

}  // namespace fairlead::store
