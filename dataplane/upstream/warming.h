// Connections that a worker opens before requests ask for them, to servers that begin (ConnectionPool.warm).
//
// A few at a time over all servers, which have turns; a server's first one alone, and after one that fails no others.
// Where a backend's connections are limited they close none of the idle ones, which may be wanted. What has been opened
// goes to the server's pool. Belongs to Upstreams; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "base/intrusive_list.h"
#include "config/model.h"
#include "runtime/scope.h"
#include "runtime/task.h"

namespace fairlead::upstream {

class Connection;
class Server;
class Upstreams;

class Warming {
 public:
  Warming(Upstreams& upstreams, runtime::Loop& loop) : upstreams_(upstreams), loop_(loop), scope_(loop) {}

  // The server is to have so many connections; nothing where it takes no requests by the snapshot of this turn.
  void begin(config::BackendHandle backend, config::Slot slot, config::Uid server, uint32_t connections);
  // Breaks off what is under way, and begins nothing any more. The owner awaits join() then.
  void stop();
  auto join() { return scope_.join(); }
  size_t under_way() const { return scope_.running(); }

 private:
  struct Job {
    uint64_t number = 0;
    config::BackendHandle backend;
    config::Slot slot = 0;
    // To be opened; of a new one, what the server is to have.
    uint32_t left = 0;
    bool is_new = true;
  };
  // Of a job that another one for the same server may have replaced.
  struct Ticket {
    config::Uid server = 0;
    uint64_t number = 0;
  };
  // One that is being opened.
  struct Opening : base::ListNode<> {
    std::unique_ptr<Connection> connection;
  };
  // So many connections are opened at a time.
  static constexpr size_t kLanes = 8;
  // After so many servers that need none others have their turn.
  static constexpr int kLooks = 256;

  void widen();
  runtime::Task<void> run_lane();
  // The next server that needs a connection; nothing where none was found in kLooks.
  std::optional<Ticket> next();
  runtime::Task<void> open_one(Ticket ticket);
  // The job's next connection may be opened.
  void go_on(const Ticket& ticket);
  // Null where it is over.
  Job* job_of(const Ticket& ticket);
  // Null where it takes no requests now.
  Server* server_of(config::Uid uid, config::BackendHandle backend, config::Slot slot);

  Upstreams& upstreams_;
  runtime::Loop& loop_;
  uint64_t last_number_ = 0;
  absl::flat_hash_map<config::Uid, Job> jobs_;
  // In their order; those whose job is over are passed over.
  std::deque<Ticket> due_;
  base::List<Opening> opening_;
  bool stopped_ = false;
  runtime::Scope scope_;
};

}  // namespace fairlead::upstream
