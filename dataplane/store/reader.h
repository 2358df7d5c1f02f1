// What a reading closure may look at: the model as it is between two transactions. On the store's thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "store/drains.h"
#include "store/election.h"
#include "store/event_hub.h"
#include "store/model.h"
#include "store/views.h"

namespace fairlead::store {

struct ServerQuery {
  // Empty: of all backends.
  std::string backend;
  config::Labels labels;
  // Any of these; empty: all.
  std::vector<v1::Lifecycle> lifecycles;
};

struct PageRequest {
  // What the last page gave as `next`; empty for the first.
  std::string after;
  size_t size = 100;
};

class Reader {
 public:
  Reader(const Model& model, const Drains& drains, const Election& election, EventHub& events)
      : model_(model), drains_(drains), election_(election), events_(events) {}

  config::Version version() const { return model_.version(); }
  Digest digest() const { return model_.digest(); }
  const Election& election() const { return election_; }
  // The member, or else the newest of this name that still drains.
  std::optional<ServerView> find_server(const std::string& backend, const std::string& name) const;
  std::optional<BackendView> find_backend(const std::string& name) const;
  std::optional<ListenerView> find_listener(const std::string& name) const;
  std::optional<CertificateView> find_certificate(const std::string& name) const;

  // Ordered by name (servers: backend, name, age). A page may hold less than asked for and still have a `next`: looking
  // through many that do not match is cut short, so that no listing holds up the writer. A `next` that is not one of
  // ours gives an empty optional.
  std::optional<Page<ServerView>> list_servers(const ServerQuery& query, const PageRequest& page) const;
  Page<BackendView> list_backends(const config::Labels& labels, const PageRequest& page) const;
  Page<ListenerView> list_listeners(const config::Labels& labels, const PageRequest& page) const;
  Page<CertificateView> list_certificates(const config::Labels& labels, const PageRequest& page) const;

  std::vector<const config::Certificate*> certificates() const;

  // Linear in backends and listeners, not in servers.
  Everything everything() const;
  std::vector<BackendView> backends() const;
  // Of members and deleted ones that are not READY.
  absl::flat_hash_map<config::Uid, v1::Lifecycle> lifecycles() const;
  struct Counts {
    uint64_t servers;
    uint32_t backends;
    uint32_t listeners;
  };
  Counts counts() const;

  // From exactly this state on: what the closure reads and what the queue gets add up to everything.
  void subscribe(const std::shared_ptr<EventQueue>& queue) const { events_.subscribe(queue); }
  // From `position` on; false where that is not kept any more, or lies in the future.
  bool resume(const std::shared_ptr<EventQueue>& queue, const WatchPosition& position) const {
    return events_.resume(queue, position, version());
  }
  // Of all events so far.
  uint64_t last_event_number() const { return events_.last_number(); }
  config::Version oldest_resumable_version() const { return events_.oldest_version(); }

  ServerView view(const BackendState& backend, const base::Ref<const config::Server>& server) const;
  ServerView view(const DepartingServer& server) const;
  BackendView view(const BackendState& backend) const;

 private:
  const Model& model_;
  const Drains& drains_;
  const Election& election_;
  EventHub& events_;
};

}  // namespace fairlead::store
