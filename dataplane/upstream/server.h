// A server as one worker sees it: what is in flight, idle connections, counters, how it drains.
//
// Made when the worker first uses the server, and kept by its Backend for as long as the server exists or anything is
// in flight on it: whoever holds a Lease may use the server whatever the configuration does meanwhile. A change of the
// record in place touches nothing but what changed. One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "base/intrusive_list.h"
#include "base/random.h"
#include "base/ref.h"
#include "config/model.h"
#include "observe/counters.h"
#include "runtime/task.h"
#include "runtime/timer_wheel.h"
#include "tls/handshake.h"
#include "upstream/admission.h"
#include "upstream/connection.h"
#include "upstream/measurements.h"
#include "upstream/outcome.h"

namespace fairlead::upstream {

class Backend;
class Lease;

// Whose a connection is.
struct Introduction {
  // The number is this client's alone.
  uint64_t client;
  // What the server is told of it as soon as the connection is made; may be empty.
  std::string header = {};
  // The client's address with port 0, where connections come from it.
  std::optional<config::SocketAddress> source = {};
};

// How a server gets rid of what it has in flight.
struct DrainRequest {
  // Unset: no deadline.
  std::optional<runtime::Duration> timeout;
  // What is left is closed at moments spread over this time before the deadline.
  runtime::Duration jitter{};
  // The server is deleted: this object goes when it is drained.
  bool leaves = false;
  // Called once, when nothing is in flight, with the number of exchanges that were cut off.
  absl::AnyInvocable<void(uint64_t cut_off)> done;
};

struct WithIdleTag {};

// Linked into its backend's list while it has idle connections.
class Server : public base::ListNode<WithIdleTag> {
 public:
  Server(Backend& backend, runtime::Loop& loop, base::Ref<const config::Server> record);
  ~Server();

  const config::Server& record() const { return *record_; }
  config::Uid uid() const { return record_->metadata.uid; }
  Backend& backend() { return backend_; }
  const Backend& backend() const { return backend_; }
  uint32_t in_flight() const { return in_flight_; }
  // In its pool.
  uint32_t idle() const { return idle_count_; }
  // These, and those that carry something.
  uint32_t connections() const { return in_flight_ + idle_count_; }
  observe::Counters& counters() { return counters_; }
  bool is_leaving() const { return leaving_; }
  // Over all workers, where that is counted.
  SharedLoad& load() {
    if (!load_) [[unlikely]]
      find_load();
    return *load_;
  }
  // The same, for whoever needs it longer than there is a Server.
  SharedLoadRef keep_load() const;
  // What was measured of it; null where the backend's algorithm has never asked.
  Measurements* measurements() const { return measurements_.get(); }
  Measurements& measure() {
    if (!measurements_) [[unlikely]]
      measurements_ = std::make_unique<Measurements>();
    return *measurements_;
  }
  // From now on what comes of its exchanges is counted, as long as the backend's settings want that.
  void begin_observing() {
    if (!outcomes_) [[unlikely]]
      outcomes_ = std::make_unique<OutcomeCounts>();
  }
  void note(Outcome outcome) {
    if (outcomes_) [[unlikely]]
      count(outcome);
  }
  // Since this was last asked; nothing where there was nothing.
  std::optional<OutcomeCounts> take_outcomes();
  // From now on what is in flight is counted, also what began before; where `total` is given, there as well.
  void count_leases(SharedTotal* total);

  // The record that the snapshot has now, of the same uid. Where its address differs, idle connections are closed.
  void refresh(const config::Server* record) {
    if (record != record_.get()) [[unlikely]]
      replace_record(record);
  }

  // Starts, or replaces the deadline of, a drain. A done that was pending is called with the new one.
  void drain(DrainRequest request);
  void cancel_drain();
  void close_idle_connections();
  // The one that was used least recently. Requires that there is one.
  void close_oldest_idle() { close_idle(*idle_.back()); }
  // These, and what is in flight is cut off.
  void close_connections();
  // The backend's settings of pools are others now.
  void follow_pool_settings();

  // Begins to connect, from this address of a client where it is of the server's family, else from the backend's source
  // address; see Connection::connected().
  runtime::IoResult<std::unique_ptr<Connection>> open_connection(const config::SocketAddress* client = nullptr);
  // The same for the pool, where there is room for one more without another's end.
  runtime::IoResult<std::unique_ptr<Connection>> open_spare_connection();
  // One that has carried nothing, for the pool; closed where that does not want it.
  void keep_warm(std::unique_ptr<Connection> connection);
  // For so many more.
  uint32_t room_for_idle() const;
  void note_warming_failed();
  // By whom and how TLS is begun there; without a context in the clear.
  tls::ClientSide client_side();

 private:
  friend class Lease;
  friend class Connection;

  void replace_record(const config::Server* record);
  void find_load();
  // The most recently used idle connection, or null. `client`: only one that belongs to it; 0: to nobody.
  std::unique_ptr<Connection> take_idle(uint64_t client);
  void leave_pool(Connection& connection);
  void put_idle(std::unique_ptr<Connection> connection, runtime::Duration idle_timeout, uint32_t max_idle);
  void park(std::unique_ptr<Connection> connection, runtime::Duration idle_timeout);
  void drop_idle(Connection& connection);
  void close_idle(Connection& connection);
  // The connection was opened as connections are now.
  bool is_as_configured(const Connection& connection) const;
  // `is_counted`: it was begun at the backend.
  runtime::IoResult<std::unique_ptr<Connection>> open_begun(bool is_counted, const config::SocketAddress* client);
  // As Driver::connect(), from where open_connection() says.
  int open_socket(const config::SocketAddress& address, const config::SocketAddress* client);
  void on_idle_timer();
  void close_expired();
  // Some of those that were not needed lately.
  int connect_socket(const config::SocketAddress& address, const config::SocketAddress* client);
  void purge_idle();
  void schedule_idle_timer();

  void enter(Lease& lease);
  void leave(Lease& lease);
  void count(Outcome outcome);
  void report(uint32_t errors, bool gateway);
  void cut_off(Lease& lease);
  void on_drain_timer();
  void finish_drain();

  struct OwnTimer : runtime::Timer {
    OwnTimer(Fire fire, Server& owner) : Timer(fire), server(owner) {}
    Server& server;
  };

  Backend& backend_;
  runtime::Loop& loop_;
  base::Ref<const config::Server> record_;
  uint32_t address_generation_ = 0;
  uint32_t in_flight_ = 0;
  uint32_t idle_count_ = 0;
  // Most that was in flight at once since the last purge, and between that and the one before.
  uint32_t needed_ = 0;
  uint32_t needed_before_ = 0;
  runtime::TimePoint purge_at_ = runtime::kNever;
  bool leaving_ = false;
  base::List<Lease> leases_;
  base::List<Connection> idle_;  // most recently used first
  // Those of them that belong to a client: one for each. Null while there was none.
  std::unique_ptr<absl::flat_hash_map<uint64_t, Connection*>> idle_of_clients_;
  OwnTimer idle_timer_;
  observe::Counters counters_;
  // Where it was asked for.
  SharedLoadRef load_;
  std::unique_ptr<Measurements> measurements_;
  // Where the backend's settings want that.
  std::unique_ptr<OutcomeCounts> outcomes_;
  // Where it is spoken to in TLS.
  std::unique_ptr<tls::LastSession> last_session_;
  // Of former addresses, for leases that are counted there.
  std::vector<SharedLoadRef> former_loads_;

  struct Drain;
  std::unique_ptr<Drain> drain_;
};

// One exchange's (or TCP connection's) hold on a server, and on a connection to it. Counts as in flight from the start.
//
// Lives in the frame of the exchange. When the client hangs up, or a drain's deadline comes, the server's connection is
// cancelled: whoever waits on it finds IoError::kCancelled, and was_cut_off() tells which of the two it was.
class Lease : public base::ListNode<> {
 public:
  enum class Client : bool { kIsNotWatched, kIsWatched };

  // `client` is the other side of the exchange; it outlives the lease. Where it has several leases it is watched by
  // one.
  Lease(Admission admission, runtime::Channel& client, Client watched = Client::kIsWatched)
      : server_(admission.server()),
        client_(client),
        place_(admission.take_place()),
        watches_client_(watched == Client::kIsWatched) {
    server_.enter(*this);
  }
  // In the place of `other`, which has nothing left to do.
  Lease(Lease&& other) noexcept;
  ~Lease();

  Server& server() { return server_; }
  // Null before reuse() or connect() succeeded.
  Connection* connection() { return connection_.get(); }
  net::Stream& stream() { return connection_->stream(); }

  // From now on connections are a client's.
  void introduce(Introduction introduction) { introduction_ = std::make_unique<Introduction>(std::move(introduction)); }
  // Takes an idle connection of the pool where there is one.
  bool reuse();
  // Opens a new one.
  runtime::Task<runtime::IoResult<void>> connect(runtime::Duration timeout);
  // The exchange is over and the connection can carry another: back to the pool, for at most `idle_timeout`.
  void keep(runtime::Duration idle_timeout, uint32_t max_idle);
  void discard();

  // From now on a cut-off cancels the client as well: it can be told nothing any more. Before, it only interrupts
  // whoever writes to the client (an interim response).
  void response_began() { response_began_ = true; }
  // From now on, whatever it was made with.
  void watch_client();
  // A client that hangs up may still have bytes on their way to the server.
  void ignore_hang_up() {
    if (watches_client_) client_.on_hang_up_cancel(nullptr);
  }
  bool was_cut_off() const { return cut_off_; }

  // For algorithms that go by latency: the server has answered (HTTP: with the final response's head, which is `head`;
  // TCP: by accepting, null), or has failed to.
  void answered(const http::ResponseHead* head) {
    if (is_measured_) note_answer(head);
  }
  void failed() {
    if (is_measured_) note_failure();
  }

 private:
  friend class Server;
  void cut_off();
  void note_answer(const http::ResponseHead* head);
  void note_failure();
  void note_silence();

  Server& server_;
  runtime::Channel& client_;
  Place place_;
  std::unique_ptr<Connection> connection_;
  // Null: they are anybody's.
  std::unique_ptr<Introduction> introduction_;
  bool watches_client_;
  bool response_began_ = false;
  bool cut_off_ = false;
  bool is_measured_ = false;
  // Where it is measured: in flight then, with this one.
  uint32_t in_flight_at_start_ = 0;
  runtime::TimePoint began_;
};

}  // namespace fairlead::upstream
