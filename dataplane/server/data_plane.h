// The composition root: makes all parts, wires them, and ends them in order.
//
//   workers (reading half)  <- snapshots, drains -  store  <- transactions -  management (gRPC)
//            \- facts, statistics ->                /  metrics server
//
// It starts from the inside out, so that what serves finds everything that it needs, and ends from the outside in: no
// new changes, then no new connections, then requests in flight until the shutdown's timeout.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "management/management_server.h"
#include "observe/metrics_server.h"
#include "observe/prometheus.h"
#include "server/ready_file.h"
#include "server/settings.h"
#include "server/workers.h"
#include "store/store.h"

namespace fairlead::server {

class DataPlane {
 public:
  // Serves when this returns: what the journal holds, or, where that is new, the file's resources. `reseed`: the file's
  // resources whatever the journal holds, which begins anew.
  static absl::StatusOr<std::unique_ptr<DataPlane>> start(const ConfigurationFile& file, bool reseed = false);
  ~DataPlane();

  BoundAddresses bound_addresses();
  void reopen_logs();
  // Requests in flight may finish until the timeout of the settings.
  void stop();

 private:
  explicit DataPlane(const Settings& settings);
  absl::Status open_store(const ConfigurationFile& file, bool reseed);
  absl::Status load_file(const ConfigurationFile& file);
  absl::Status serve_metrics();
  absl::Status serve_management();
  std::optional<observe::JournalFacts> journal_facts() const;
  void make_metrics_page(std::function<void(observe::MetricsServer::Page)> done);

  const Settings settings_;
  const std::chrono::steady_clock::time_point started_;
  std::unique_ptr<observe::AccessLog> access_log_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<management::ManagementServer> management_;
  std::unique_ptr<observe::MetricsServer> metrics_;
};

}  // namespace fairlead::server
