#include "upstream/warming.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/sleep.h"
#include "upstream/upstreams.h"

namespace fairlead::upstream {

void Warming::begin(config::BackendHandle backend, config::Slot slot, config::Uid server, uint32_t connections) {
  if (stopped_ || connections == 0) return;
  Ticket ticket{server, ++last_number_};
  jobs_.insert_or_assign(server, Job{.number = ticket.number, .backend = backend, .slot = slot, .left = connections});
  due_.push_back(ticket);
  widen();
}

void Warming::stop() {
  stopped_ = true;
  jobs_.clear();
  due_.clear();
  opening_.for_each([](Opening& opening) { opening.connection->stream().cancel(); });
}

void Warming::widen() {
  if (!due_.empty() && scope_.running() < kLanes) scope_.spawn(run_lane());
}

runtime::Task<void> Warming::run_lane() {
  while (!due_.empty()) {
    std::optional<Ticket> ticket = next();
    if (ticket) {
      co_await open_one(*ticket);
    } else if (!due_.empty()) {
      co_await runtime::Sleep(loop_, loop_.now() + std::chrono::milliseconds(1));
    }
  }
}

Warming::Job* Warming::job_of(const Ticket& ticket) {
  auto at = jobs_.find(ticket.server);
  return at != jobs_.end() && at->second.number == ticket.number ? &at->second : nullptr;
}

Server* Warming::server_of(config::Uid uid, config::BackendHandle backend, config::Slot slot) {
  Upstreams::Found found = upstreams_.find(backend);
  return found ? found.backend->taking_requests(*found.members, slot, uid) : nullptr;
}

std::optional<Warming::Ticket> Warming::next() {
  for (int looks = 0; !due_.empty() && looks < kLooks; ++looks) {
    Ticket ticket = due_.front();
    due_.pop_front();
    Job* job = job_of(ticket);
    if (!job) continue;
    Server* server = server_of(ticket.server, job->backend, job->slot);
    if (server && job->is_new) {
      job->left -= std::min(job->left, server->connections());
      job->left = std::min(job->left, server->room_for_idle());
    }
    if (server && job->left > 0 && server->room_for_idle() > 0) return ticket;
    jobs_.erase(ticket.server);
  }
  return std::nullopt;
}

runtime::Task<void> Warming::open_one(Ticket ticket) {
  Job* job = job_of(ticket);
  const config::BackendHandle backend = job->backend;
  const config::Slot slot = job->slot;
  // It tells whether the server is there: only then others follow, several at a time.
  const bool is_first = std::exchange(job->is_new, false);
  --job->left;
  Server* server = server_of(ticket.server, backend, slot);
  const runtime::TimePoint deadline = loop_.now() + server->backend().settings().connect_timeout();
  Opening opening;
  runtime::IoResult<std::unique_ptr<Connection>> begun = server->open_spare_connection();
  bool opened = begun.has_value();
  if (begun) {
    opening.connection = *std::move(begun);
    opening_.push_back(opening);
    if (!is_first) go_on(ticket);
    tls::ClientSide side;
    if (server->backend().settings().tls_context) [[unlikely]]
      side = server->client_side();
    // The server may be gone before the handshake is over.
    side.last = nullptr;
    tls::Worker& tls = server->backend().tls();
    runtime::IoResult<void> connected = co_await opening.connection->connected(deadline);
    if (connected && side.context) connected = co_await opening.connection->secured(tls, std::move(side), deadline);
    opening.unlink();
    opened = connected.has_value();
  }
  if (stopped_) co_return;
  // As it is by now.
  server = server_of(ticket.server, backend, slot);
  if (!opened) {
    if (job_of(ticket)) jobs_.erase(ticket.server);
    if (server) server->note_warming_failed();
    co_return;
  }
  if (server) server->keep_warm(std::move(opening.connection));
  if (is_first) go_on(ticket);
}

void Warming::go_on(const Ticket& ticket) {
  Job* job = job_of(ticket);
  if (!job) return;
  if (job->left == 0) {
    jobs_.erase(ticket.server);
    return;
  }
  due_.push_back(ticket);
  widen();
}

}  // namespace fairlead::upstream
