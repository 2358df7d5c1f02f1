// Workers of a data plane on the simulated network: real listeners, sessions and upstreams, with a configuration that
// the test changes while they run, and hosts for clients and origins.
//
// At its end everything is shut down in order, and nothing may be left: no socket, no buffer, no session.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "listener/listeners.h"
#include "proxy/context.h"
#include "sim_world/configuration.h"
#include "test_support/sim_driver.h"

namespace fairlead::sim {

using runtime::Duration;
using runtime::Task;
using runtime::TimePoint;
using test_support::Random;
using test_support::SimFaults;
using test_support::SimHost;
using test_support::SimNetwork;

// How long idle connections may still begin a request when their listener ends.
inline constexpr Duration kIdleGrace = std::chrono::seconds(1);

struct Worker {
  Worker(SimNetwork& network, int number, uint64_t seed, upstream::Shared& shared);
  // Takes the snapshot that is published, at the top of each turn.
  void look_at(const base::Ref<const config::Snapshot>& published);

  SimHost host;
  base::Ref<const config::Snapshot> held;
  proxy::Context context;
  listener::Listeners listeners;
};

class ProxyWorld {
 public:
  explicit ProxyWorld(uint64_t seed, int workers = 1);
  ~ProxyWorld();
  ProxyWorld(const ProxyWorld&) = delete;
  ProxyWorld& operator=(const ProxyWorld&) = delete;

  SimNetwork& network() { return network_; }
  Random& random() { return network_.random(); }
  Configuration& configuration() { return configuration_; }
  upstream::Shared& shared() { return shared_; }
  SimHost& clients() { return clients_; }
  SimHost& origins() { return origins_; }
  std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }

  // Makes the configuration as it is now what the workers see.
  void publish() { published_ = configuration_.snapshot(); }
  // A listener in the configuration, open on all workers. Gives its address.
  config::Endpoint open_listener(const std::string& name, const config::Listener& settings);
  void close_listener(const std::string& name);
  // After the publication of its end. `drained` is called when all workers are done with it, with what was cut off.
  void drain(config::BackendHandle backend, const config::Server& record, bool leaves, std::optional<Duration> timeout,
             std::function<void(uint64_t)> drained, Duration jitter = {});
  // The server is taken out, and drains.
  void delete_server(const std::string& backend, const std::string& name, std::optional<Duration> timeout,
                     std::function<void(uint64_t)> drained, Duration jitter = {});

  // Of all workers.
  observe::BackendStatistics statistics(const std::string& backend);
  bool run_until(const std::function<bool()>& condition, Duration limit = std::chrono::hours(10)) {
    return network_.run_until(condition, limit);
  }
  // Ends all sessions, politely, and asserts that nothing is left. Called by the destructor; sooner where origins end
  // by the proxy's closing its connections to them.
  void shut_down();

 private:
  SimNetwork network_;
  Configuration configuration_;
  base::Ref<const config::Snapshot> published_;
  SimHost clients_{network_, "clients", "192.168.0.1"};
  SimHost origins_{network_, "origins", "10.1.0.1"};
  upstream::Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace fairlead::sim
