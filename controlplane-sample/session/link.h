// A lasting stream of updates to one data plane: opened with our election id, opened again with back-off and jitter
// whenever it is lost, kept alive by heartbeats, and held to the data plane's window. What is said over it, and what
// answers mean, is for those who use it: `Session` for the servers of one backend, `mirror/` for whole configurations.
//
// Includes Protobuf's and gRPC's generated code: only for .cc files and for headers that stand between them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "fairlead/v1/management.grpc.pb.h"
#include "session/election.h"
#include "session/tls_files.h"

namespace fairlead::session {

struct LinkOptions {
  // "unix:/path" or "host:port".
  std::string dataplane;
  TlsFiles tls = {};
  // Shown in the data plane's logs and events.
  std::string client_name;
  ElectionId election_id;
  // Whether the data plane tells what becomes of the servers that are changed here.
  bool server_events = false;
  // How often `read` is called.
  absl::Duration refresh = absl::Seconds(2);
  // For the answer to the opening.
  absl::Duration answer_timeout = absl::Seconds(5);
  absl::Duration first_wait = absl::Milliseconds(100);
  absl::Duration longest_wait = absl::Seconds(5);
  std::uint64_t seed = 0;
};

// How the link's user takes part. Called from two threads of the link, which may overlap: one reads the stream, the
// other writes it and calls `read`.
struct LinkUser {
  using Stub = fairlead::v1::ManagementService::StubInterface;
  using Told = std::function<void()>;

  // Reads what is there, by unary calls with deadlines; called when the stream has been opened, `opened` being the
  // answer, then every `refresh` and after ask(), `opened` being null. What it returns is called as soon as send()
  // takes something; a failure ends the stream, and its text becomes the reason.
  std::function<absl::StatusOr<Told>(Stub& stub, const fairlead::v1::Opened* opened)> read;
  // A result, with the id that was given to send(), or an event.
  std::function<void(const fairlead::v1::StreamUpdatesResponse&)> hear;
  // The stream ended, or (once for each reason) could not be opened. The next try follows by itself.
  std::function<void(const std::string& why)> lost;
};

// Owned by whoever made it. It runs threads of its own, and destroying it ends and joins them.
class Link {
 public:
  Link(LinkOptions options, LinkUser user);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // A transaction or a resync's begin or end; their ids must grow over the link's life, and go over the wire as what
  // follows the last that the data plane knows of our name. Never waits: it is kept until the window has room. While
  // the stream is not open it is dropped.
  void send(fairlead::v1::StreamUpdatesRequest request);
  // `read` is called soon.
  void ask();

 private:
  class Connector;
  std::unique_ptr<Connector> connector_;
};

}  // namespace fairlead::session
