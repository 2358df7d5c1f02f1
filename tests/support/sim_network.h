// A network in memory with virtual time: hosts with sockets, connections between them, and faults, all from one seed.
//
// It behaves as Linux does where an application can tell: pipes of bounded size, half-close, reset when a socket closes
// over unread bytes or receives for one that is closed, bytes before a reset stay readable, edges as epoll reports
// them. Time stands still while anybody can do something, and jumps when all loops wait. One thread for everything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "config/endpoint.h"
#include "runtime/loop.h"
#include "test_support/random.h"
#include "test_support/sim_connection.h"
#include "test_support/sim_faults.h"

namespace fairlead::test_support {

class SimDriver;

// A queue of connections that nobody has accepted yet.
struct SimListener {
  SimDriver* driver = nullptr;
  int fd = -1;
  config::Endpoint address;
  std::deque<SimEnd> queue;
};

class SimNetwork {
 public:
  explicit SimNetwork(uint64_t seed, SimFaults faults = {}) : seed_(seed), random_(seed), faults_(faults) {}
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  uint64_t seed() const { return seed_; }
  Random& random() { return random_; }
  runtime::TimePoint now() const { return now_; }
  // Changes what happens from now on.
  SimFaults& faults() { return faults_; }

  // One turn of each loop, in an order drawn anew; then, if none had anything to do, a jump to the next moment at which
  // something happens. False where there is none up to `limit`.
  bool step(runtime::TimePoint limit = runtime::kNever);
  // Steps until the condition holds. False where it does not within `limit` of virtual time, or nothing happens any
  // more.
  bool run_until(const std::function<bool()>& condition, runtime::Duration limit = std::chrono::hours(1));
  // Steps for this much virtual time.
  void run_for(runtime::Duration length);

  // Sockets that are open, each as "<host> fd <n>: <local> - <remote>".
  std::vector<std::string> open_sockets() const;

  // From the drivers.
  void add(SimDriver& driver);
  void remove(SimDriver& driver);
  void note_activity() { active_ = true; }
  void add_listener(std::shared_ptr<SimListener> listener);
  void remove_listener(SimListener& listener);
  bool is_listening(const config::Endpoint& address) const;
  uint16_t next_port() { return next_port_++; }
  void connect(const SimEnd& client);
  ssize_t write(const SimEnd& from, std::string_view bytes);
  ssize_t read(const SimEnd& at, std::span<char> into);
  ssize_t peek(const SimEnd& at, std::span<char> into);
  void shutdown_write(const SimEnd& from);
  void close(const SimEnd& from);
  // Breaks it: both ends learn of it at once.
  void reset(SimConnection& connection);

 private:
  enum class What : unsigned char { kConnect, kArrival, kUnblock };
  struct Event {
    runtime::TimePoint at;
    uint64_t order;
    What what;
    SimEnd end;
    bool operator>(const Event& other) const { return std::tie(at, order) > std::tie(other.at, other.order); }
  };

  void schedule(runtime::TimePoint at, What what, const SimEnd& end);
  void run_due_events();
  runtime::TimePoint next_moment() const;
  void finish_connect(const SimEnd& client);
  std::shared_ptr<SimListener> pick_listener(const config::Endpoint& address);
  void send(const SimEnd& to, SimPiece piece);
  void arrive(const SimEnd& at);
  void signal(const SimEnd& end);
  void signal_if_room(const SimEnd& writer);

  uint64_t seed_;
  Random random_;
  SimFaults faults_;
  runtime::TimePoint now_{std::chrono::hours(1)};
  bool active_ = false;
  uint64_t order_ = 0;
  uint16_t next_port_ = 10'000;
  std::vector<SimDriver*> drivers_;
  std::multimap<config::Endpoint, std::shared_ptr<SimListener>> listeners_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace fairlead::test_support
