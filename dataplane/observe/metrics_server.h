// HTTP for those who watch: GET /metrics, on a thread of its own.
//
// One request for each connection, at most kConnectionsMax at once: a scraper comes every few seconds, and nobody can
// hold up anything else here. Nor can those keep it away who have not asked yet: whoever of them has said nothing for
// the longest time makes room.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/descriptor.h"
#include "config/endpoint.h"
#include "net/socket_file.h"

namespace fairlead::observe {

class MetricsServer {
 public:
  static constexpr size_t kConnectionsMax = 64;

  // Makes a page; called on the server's own thread, where it may take its time.
  using Page = std::function<std::string()>;
  // Gathers what a page needs, and hands `done` the rest of the work; once, on any thread.
  using MakePage = std::function<void(std::function<void(Page)> done)>;

  // Listens and serves until it is destroyed.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> start(const config::Endpoint& address, MakePage make_page);
  // The same on a socket that another process has handed over, with its file.
  static std::unique_ptr<MetricsServer> start_on(base::Descriptor listening, net::SocketFile file, MakePage make_page);
  ~MetricsServer();

  const config::Endpoint& bound() const;

  // For another process that is to listen there as well; and when that has taken over, so that the file of a Unix
  // socket stays when this one ends.
  base::Descriptor copy_of_socket() const;
  void leave();

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fairlead::observe
