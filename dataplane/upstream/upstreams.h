// All backends of a worker, and the snapshot that it sees.
#pragma once

#include <memory>
#include <vector>

#include "upstream/backend.h"
#include "upstream/warming.h"

namespace fairlead::upstream {

class Upstreams {
 public:
  // `shared` is one for all workers.
  Upstreams(runtime::Loop& loop, base::Random& random, Shared& shared)
      : loop_(loop), random_(random), shared_(shared), tls_(loop), warming_(*this, loop) {}
  ~Upstreams();

  // For all TLS connections of the worker, also those of clients.
  tls::Worker& tls() { return tls_; }

  // The snapshot of this turn. The worker sets it at the top of a turn; it stays alive until it sets another.
  const config::Snapshot& snapshot() const { return *snapshot_; }
  void adopt(const config::Snapshot* snapshot);

  // A backend of the present snapshot, with its members of this moment. Null: it is gone.
  struct Found {
    Backend* backend = nullptr;
    const config::BackendSnapshot* members = nullptr;
    explicit operator bool() const { return backend != nullptr; }
  };
  Found find(config::BackendHandle handle);
  // Backend::look_around() with the members of this moment, where it is still there.
  void look_around(config::BackendHandle handle) {
    if (Found found = find(handle)) found.backend->look_around(*found.members);
  }

  void drain(config::BackendHandle handle, config::Slot slot, config::Uid server, DrainRequest request);
  void cancel_drain(config::BackendHandle handle, config::Slot slot, config::Uid server);
  void close_connections(config::BackendHandle handle, config::Slot slot, config::Uid server);
  void close_idle_connections(config::BackendHandle handle, config::Slot slot, config::Uid server);
  // A backend that is in use goes by the snapshot's settings now, not only when it is used next.
  void follow_settings(config::BackendHandle handle);
  // Connections are opened before they are asked for.
  Warming& warming() { return warming_; }
  // As Backend; nothing for what this worker has not used.
  std::vector<OutcomeCounts> take_outcomes(config::BackendHandle handle);

  // At the moment; 0 for what this worker has not used.
  observe::Traffic traffic(config::BackendHandle handle);
  observe::Traffic traffic(config::BackendHandle handle, config::Slot slot, config::Uid server);
  // Also lets go of backends that were deleted and are not in use any more.
  std::vector<observe::BackendStatistics> statistics(bool servers);

 private:
  Backend* known(config::BackendHandle handle);
  void begin_counting();
  // Deleted, and nothing of it is left.
  bool is_over(const Backend& backend) const;
  // Few, unlike all backends: for the path of a request.
  void forget_leaving();
  void forget_deleted();

  runtime::Loop& loop_;
  base::Random& random_;
  Shared& shared_;
  tls::Worker tls_;
  const config::Snapshot* snapshot_ = nullptr;
  config::Revision counting_since_ = 0;
  // Where somebody of this worker waits.
  base::List<Line> busy_;
  // By slot: the present holder, where this worker has used it.
  std::vector<std::unique_ptr<Backend>> backends_;
  // Former holders of slots, still in use.
  std::vector<std::unique_ptr<Backend>> leaving_;
  Warming warming_;
};

}  // namespace fairlead::upstream
