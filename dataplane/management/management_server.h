// The gRPC server of the management API: listens, serves, ends.
//
// Owns the services, their streams and the thread that these live on. Nothing of gRPC is seen from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/descriptor.h"
#include "config/endpoint.h"
#include "management/counts.h"
#include "management/credentials.h"
#include "net/socket_file.h"
#include "observe/statistics.h"
#include "store/store.h"

namespace fairlead::management {

// What is spoken at addresses that are no Unix sockets.
enum class OnTcp : uint8_t { kNothing, kClearText, kTls };

// What is wrong with an address to listen on, whatever the machine's state is; to stand behind "management.listen: ".
std::optional<std::string> check_listen(const std::string& text, OnTcp on_tcp);

struct ServerOptions {
  // "unix:/path" (made with mode 0600), with `tls` any "10.0.0.7:port", or with `insecure` a loopback "127.0.0.1:port"
  // or
  // "[::1]:port"; port 0 takes a free one.
  std::vector<std::string> listen;
  bool insecure = false;
  // Null: no TLS.
  std::shared_ptr<Credentials> tls{};
  // For GetInfo.
  std::string build{};
  uint32_t workers = 0;
  // Streams of all kinds at once (not unary calls); more are refused with RESOURCE_EXHAUSTED.
  uint32_t sessions_max = 1024;
  // A session from which nothing came for so long is ended, and one that does not read for so long.
  std::chrono::nanoseconds silence = std::chrono::seconds(60);
  // For metrics.
  std::shared_ptr<Counts> counts = std::make_shared<Counts>();

  OnTcp on_tcp() const { return tls ? OnTcp::kTls : insecure ? OnTcp::kClearText : OnTcp::kNothing; }
};

// An address to serve at, open already: connections wait there until the server starts.
struct Listening {
  // As in ServerOptions::listen.
  std::string wanted;
  config::Endpoint bound;
  base::Descriptor socket;
  net::SocketFile file;
};

// A socket that another process has handed over for an address, with its file; or none.
struct Inherited {
  base::Descriptor socket;
  net::SocketFile file;
};
using Inherit = std::function<Inherited(const std::string& wanted)>;

// Opens all addresses of `options`, or takes their sockets from `inherit`. Errors name the address; nothing stays open.
absl::StatusOr<std::vector<Listening>> open_addresses(const ServerOptions& options, const Inherit& inherit = {});

class ManagementServer {
 public:
  // Serves when it returns. `store` and `collector` outlive the server. Errors name the address.
  static absl::StatusOr<std::unique_ptr<ManagementServer>> start(const ServerOptions& options, store::Store& store,
                                                                 observe::Collector& collector);
  static absl::StatusOr<std::unique_ptr<ManagementServer>> start_on(std::vector<Listening> listening,
                                                                    const ServerOptions& options, store::Store& store,
                                                                    observe::Collector& collector);
  ~ManagementServer();

  // Where it listens, in the order of `listen`, with real ports.
  const std::vector<std::string>& bound() const { return bound_; }

  struct Copy {
    std::string wanted;
    std::string bound;
    base::Descriptor socket;
  };
  // Of its listening sockets, for another process that is to listen there as well. Not after stop().
  std::vector<Copy> copy_sockets() const;
  // That one has taken over: the files of Unix sockets stay when this server ends. Not after stop().
  void leave();

  // Looks at the files of `tls` now, rather than at the next time.
  void reload();

  // Ends streams with UNAVAILABLE, lets calls finish for up to `patience`, then cancels them. Idempotent. Before
  // Store::stop(), so that what was taken is answered.
  void stop(absl::Duration patience = absl::Seconds(2));

 private:
  struct Parts;
  explicit ManagementServer(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
  std::vector<std::string> bound_;
};

}  // namespace fairlead::management
