// A lasting session with one data plane about the servers of one backend: a link, told in our words.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "session/election.h"
#include "session/events.h"
#include "session/tls_files.h"

namespace fairlead::session {

struct SessionOptions {
  // "unix:/path" or "host:port".
  std::string dataplane;
  TlsFiles tls = {};
  // Shown in the data plane's logs and events.
  std::string client_name = "fairlead-autoscaler";
  // Whether we may write where others do, too.
  ElectionId election_id = {.high = 0, .low = 1};
  std::string backend;
  // Value of kManagedByLabel.
  std::string managed_by = "fairlead-autoscaler";
  // How often the servers are read again. It finds what somebody else changed, and a data plane that hangs.
  absl::Duration refresh = absl::Seconds(2);
  // For the answer to the opening and for each listing; then the session counts as lost.
  absl::Duration answer_timeout = absl::Seconds(5);
  absl::Duration first_wait = absl::Milliseconds(100);
  absl::Duration longest_wait = absl::Seconds(5);
  std::uint64_t seed = 0;
};

// Owned by whoever made it. It runs threads of its own, and destroying it ends and joins them.
class Session {
 public:
  // `listener` is called from the session's threads, one call at a time, and must not block for long. The first event
  // of each connection is Connected, its last one Lost.
  Session(SessionOptions options, std::function<void(Event)> listener);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Never waits. Sent in order. While no session is open it is dropped: the next Connected tells what is there.
  void submit(Change change);

 private:
  class Teller;
  std::unique_ptr<Teller> teller_;
};

}  // namespace fairlead::session
