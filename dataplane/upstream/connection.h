// A connection to a server: leased to one exchange at a time, or idle in its server's pool.
#pragma once

#include <cstdint>
#include <limits>

#include "base/intrusive_list.h"
#include "net/stream.h"
#include "runtime/task.h"
#include "runtime/waiter.h"
#include "tls/handshake.h"

namespace fairlead::upstream {

class Server;

// Owned by its server while idle, by a Lease otherwise. While it is idle it listens for the one thing that an idle
// connection can say, and whatever that is (the server closes it, or speaks unasked), it leaves the pool and is closed.
class Connection : public base::ListNode<> {
 public:
  Connection(Server& server, uint32_t address_generation, runtime::Loop& loop, int fd)
      : server_(server), address_generation_(address_generation), stream_(loop, fd, runtime::Channel::Order::kFirst) {}
  ~Connection();

  net::Stream& stream() { return stream_; }
  // Until it is open, or has failed to be; it outlives that.
  runtime::Task<runtime::IoResult<void>> connected(runtime::TimePoint deadline);
  // And until TLS is agreed on.
  runtime::Task<runtime::IoResult<void>> secured(tls::Worker& worker, tls::ClientSide side,
                                                 runtime::TimePoint deadline);
  // By what it was opened; null in the clear.
  const tls::ClientContext* tls() const { return tls_; }
  // It has been idle before: the server may be closing it at this moment.
  bool is_reused() const { return has_been_idle_; }
  // It takes so many more after this one, as the server says.
  void limit_further(uint32_t further) { further_ = further; }
  // Whether another may follow this one, where it may carry `most`; 0: any number.
  bool may_carry_another(uint32_t most) const { return further_ > 0 && (most == 0 || carried_ + 1 < most); }
  // It has been said to be of this client's connection, and carries nothing else; 0: of no one's.
  uint64_t client() const { return client_; }
  void belongs_to(uint64_t client) { client_ = client; }
  // The backend counts it among its connections until its end.
  void is_counted() { counted_ = true; }
  uint32_t address_generation() const { return address_generation_; }
  runtime::TimePoint idle_until() const { return idle_until_; }

 private:
  friend class Server;
  struct IdleWatch : runtime::Waiter {
    explicit IdleWatch(Connection& owner) : Waiter(&IdleWatch::on_wake), connection(owner) {}
    static void on_wake(Waiter& waiter, runtime::Wake wake);
    Connection& connection;
  };

  void begin_idle(runtime::TimePoint until);
  void count_exchange();
  // False where it has gone bad meanwhile.
  bool end_idle();
  // Neither ended nor with something to say. An event may tell of bytes that were read before it was delivered: only
  // where there was one, this asks the socket.
  bool is_quiet();

  Server& server_;
  const uint32_t address_generation_;
  net::Stream stream_;
  const tls::ClientContext* tls_ = nullptr;
  IdleWatch idle_watch_{*this};
  runtime::TimePoint idle_until_;
  bool has_been_idle_ = false;
  bool counted_ = false;
  uint64_t client_ = 0;
  // Exchanges before this one, and how many more the server takes.
  uint32_t carried_ = 0;
  uint32_t further_ = std::numeric_limits<uint32_t>::max();
};

}  // namespace fairlead::upstream
