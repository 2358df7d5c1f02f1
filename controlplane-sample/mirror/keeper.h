// Keeps data planes equal to a file: a mirror for each, with real links, and a watch on the file.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "events/event_file.h"
#include "fairlead/v1/management.pb.h"
#include "mirror/file_watcher.h"
#include "mirror/mirror.h"
#include "mirror/report.h"
#include "session/tls_files.h"
#include "threads/mailbox.h"

namespace fairlead::mirror {

struct KeeperOptions {
  // "unix:/path" or "host:port" each.
  std::vector<std::string> dataplanes;
  session::TlsFiles tls = {};
  std::string file;
  std::string client_name = "fairlead-autoscaler";
  MirrorOptions mirror;
  // How often the digest of each data plane is read.
  absl::Duration refresh = absl::Seconds(2);
  // Ends with the first proof that all are equal, or when that fails or takes longer than `once_timeout`.
  bool once = false;
  absl::Duration once_timeout = absl::Seconds(30);
  // run() ends when a newer control plane is primary somewhere; otherwise this one stands by there.
  bool exit_when_superseded = false;
  // Empty: none.
  std::string events_file;
};

// Names the field, its value and what would be right.
absl::Status validate(const KeeperOptions& options);

class Keeper {
 public:
  // Requires valid options.
  explicit Keeper(KeeperOptions options);
  ~Keeper();

  // Until stop(). Fails at once where the file cannot be read or parsed; with ABORTED where superseded, if that is
  // asked for; with `once` where not all are equal, naming those that are not.
  absl::Status run();
  // From any thread.
  void stop() { mailbox_.post(StopAsked{}); }

 private:
  struct Line;
  struct FromLine {
    std::size_t dataplane;
    std::variant<fairlead::v1::Opened, fairlead::v1::TransactionResult, Observed, std::string> event;
  };
  struct StopAsked {};
  using FileRead = absl::StatusOr<std::string>;

  absl::Status begin();
  void connect();
  void turn();
  void handle(const FromLine& message);
  void handle(const FileRead& text);
  void handle(StopAsked) { stop_asked_ = true; }
  void perform(std::size_t dataplane, const Command& command);
  void report(std::string dataplane, Told told);
  void tell_standing();
  absl::StatusOr<std::shared_ptr<const desired::Configuration>> parse(const std::string& text) const;
  void load(const std::shared_ptr<const desired::Configuration>& configuration);
  bool superseded() const;
  // Of `once`: all are equal, or one never will be.
  bool decided() const;
  absl::Status outcome() const;
  // "unix:/a: not connected yet; unix:/b: ...", of those that are not in sync.
  std::string problems() const;
  absl::Time wake_at() const;

  const KeeperOptions options_;
  events::EventFile events_;
  std::shared_ptr<const desired::Configuration> want_;
  // Outlives all that post to it, which come after it.
  threads::Mailbox<std::variant<FromLine, FileRead, StopAsked>> mailbox_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::unique_ptr<FileWatcher> watcher_;
  bool stop_asked_ = false;
  absl::Time give_up_at_ = absl::InfiniteFuture();
  std::string told_standing_;
};

}  // namespace fairlead::mirror
