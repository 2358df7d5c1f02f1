// The composition root: makes all parts, wires them, and ends them in order.
//
//   workers (reading half)  <- snapshots, drains -  store  <- transactions -  management (gRPC)
//            \- facts, statistics ->                /  metrics server
//
// It starts from the inside out, so that what serves finds everything that it needs, and ends from the outside in: no
// new changes, then no new connections, then requests in flight until the shutdown's timeout.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "management/management_server.h"
#include "observe/metrics_server.h"
#include "observe/prometheus.h"
#include "server/inheritance.h"
#include "server/overload.h"
#include "server/ready_file.h"
#include "server/settings.h"
#include "server/workers.h"
#include "store/store.h"
#include "takeover/give.h"
#include "takeover/take.h"

namespace fairlead::server {

struct StartOptions {
  // The file's resources, whatever the journal holds, which begins anew.
  bool reseed = false;
  // Takes over from the process that has the state directory, where one runs.
  bool takeover = false;
  // Another process has taken over: this one is to be stopped. On a thread of its own.
  std::function<void()> on_taken_over = [] {};
};

class DataPlane : takeover::Host {
 public:
  // Serves when this returns: what the journal holds, or, where that is new, the file's resources.
  static absl::StatusOr<std::unique_ptr<DataPlane>> start(const ConfigurationFile& file, StartOptions options = {});
  ~DataPlane() override;

  BoundAddresses bound_addresses();
  // Becomes who the settings say, now that all is bound.
  absl::Status give_up_root();
  // Another process serves in its place.
  bool is_taken_over() const { return taken_over_; }
  // Opens logs anew, and looks at the files that the management API's TLS goes by.
  void reopen_files();
  // Requests in flight may finish until the timeout of the settings.
  void stop();

 private:
  DataPlane(const Settings& settings, StartOptions options);
  absl::Status ask_for_takeover();
  absl::Status open_log();
  void wait_for_the_last_one() const;
  absl::Status serve_traffic(const ConfigurationFile& file);
  WorkerClass worker_class() const { return settings_.real_time_workers ? WorkerClass::kRealTime : WorkerClass::kFair; }
  absl::Status open_store(const ConfigurationFile& file);
  absl::Status load_file(const ConfigurationFile& file);
  void adopt_tickets();
  // `reading` runs on the store's thread, and has run when this returns OK.
  absl::Status read_store(const std::function<void(store::Reader&)>& reading);
  std::optional<observe::JournalFacts> journal_facts() const;
  observe::ManagementFacts management_facts() const;
  void watch_limits();
  void on_overload(proxy::OverloadStep step, bool is_new, const std::string& reason);
  absl::Status serve_metrics();
  absl::Status serve_management();
  void settle();
  absl::Status be_the_one();
  absl::Status open_giver();
  void wait_for_successor();
  void leave_files();

  // takeover::Host
  absl::Status give_up_state() override;
  absl::Status take_state_back(bool changes_count) override;
  std::vector<takeover::Offer> offer() override;
  std::string secrets() override;
  void leave(const std::vector<bool>& kept) override;

  // For its addresses, and to serve at them.
  management::ServerOptions management_options() const;
  void make_metrics_page(std::function<void(observe::MetricsServer::Page)> done);

  const Settings settings_;
  const StartOptions options_;
  // Until it is known that this process is the one.
  std::optional<takeover::Taker> taker_;
  std::shared_ptr<Inheritance> inheritance_ = std::make_shared<Inheritance>();
  const std::chrono::steady_clock::time_point started_;
  std::unique_ptr<observe::AccessLog> access_log_;
  std::unique_ptr<Workers> workers_;
  // In a takeover.
  Settling* settling_ = nullptr;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Overload> overload_;
  std::vector<management::Listening> management_addresses_;
  // Null: the management API has no TLS.
  std::shared_ptr<management::Credentials> credentials_;
  const std::shared_ptr<management::Counts> management_counts_ = std::make_shared<management::Counts>();
  std::unique_ptr<management::ManagementServer> management_;
  std::unique_ptr<observe::MetricsServer> metrics_;
  base::Descriptor giver_socket_;
  std::unique_ptr<takeover::Giver> giver_;
  // Of the file of the giver's socket.
  net::SocketFile giver_file_;
  // Who was offered what: in the order of offer().
  struct Offered {
    takeover::Use use;
    std::string bound;
  };
  std::vector<Offered> offered_;
  // Which of them another process has taken over.
  std::vector<bool> left_;
  std::atomic<bool> taken_over_ = false;
};

}  // namespace fairlead::server
