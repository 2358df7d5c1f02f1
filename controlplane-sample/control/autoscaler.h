// Everything together: the controller, with real sessions, statistics and processes around it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "control/command.h"
#include "control/controller.h"
#include "control/event_log.h"
#include "control/mailbox.h"
#include "providers/launch.h"
#include "providers/provider.h"
#include "session/session.h"
#include "session/tls_files.h"
#include "sources/statistics_source.h"

namespace fairlead::control {

struct AutoscalerOptions {
  // "unix:/path" or "host:port" each.
  std::vector<std::string> dataplanes;
  session::TlsFiles tls = {};
  std::string backend;
  // Of the statistics and of the decisions.
  absl::Duration interval = absl::Milliseconds(500);
  absl::Duration refresh = absl::Seconds(2);
  session::ElectionId election_id = {.high = 0, .low = 1};
  // run() ends when a newer control plane is primary somewhere; otherwise this one stands by.
  bool exit_when_superseded = false;
  ControllerOptions controller;
  providers::LaunchOptions launch;
  std::string state_directory;
  // Empty: none.
  std::string events_file;
  std::string metrics_file;
  // On stop(): delete and stop all servers. Otherwise they go on, and the next start finds them.
  bool stop_servers_on_exit = false;
};

// Names the field, its value and what would be right.
absl::Status validate(const AutoscalerOptions& options);

class Autoscaler {
 public:
  // Requires valid options.
  explicit Autoscaler(AutoscalerOptions options);
  ~Autoscaler();

  // Until stop(), or (ABORTED) until superseded where that is asked for. Fails at once where the state directory or a
  // file cannot be used.
  absl::Status run();
  // From any thread.
  void stop() { mailbox_.post(StopAsked{}); }

 private:
  absl::Status begin();
  void connect();
  void handle(const Message& message);
  void perform(const Command& command);
  void turn();
  void tick();
  bool over() const;
  bool superseded() const { return options_.exit_when_superseded && controller_.standing_by(); }
  absl::Time now();

  const AutoscalerOptions options_;
  EventLog events_;
  Controller controller_;
  // Outlives all that post to it, which come after it.
  Mailbox mailbox_;
  std::unique_ptr<providers::Provider> provider_;
  // One of each for each data plane.
  std::vector<std::unique_ptr<session::Session>> sessions_;
  std::vector<std::unique_ptr<sources::StatisticsSource>> sources_;

  absl::Time now_ = absl::InfinitePast();
  absl::Time next_tick_ = absl::InfinitePast();
  absl::Time next_metrics_ = absl::InfinitePast();
  bool stop_asked_ = false;
  // When the wait for the servers' end is over.
  absl::Time give_up_at_ = absl::InfiniteFuture();
};

}  // namespace fairlead::control
