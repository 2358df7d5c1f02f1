#include "upstream/server.h"

#include <algorithm>
#include <utility>

#include "net/tcp_options.h"
#include "upstream/backend.h"

namespace fairlead::upstream {

using runtime::TimePoint;

// Closing what is left goes in steps over the jitter, each cutting its share of what is still there.
struct Server::Drain {
  static constexpr int kSteps = 32;

  Drain(runtime::Timer::Fire fire, Server& owner) : timer(fire, owner) {}

  OwnTimer timer;
  int steps_left = 1;
  runtime::Duration step{};
  uint64_t cut_off = 0;
  bool leaves = false;
  std::vector<absl::AnyInvocable<void(uint64_t)>> done;
};

Server::Server(Backend& backend, runtime::Loop& loop, base::Ref<const config::Server> record)
    : backend_(backend),
      loop_(loop),
      record_(std::move(record)),
      idle_timer_([](runtime::Timer& timer) { static_cast<OwnTimer&>(timer).server.on_idle_timer(); }, *this) {}

Server::~Server() {
  FAIRLEAD_CHECK(leases_.empty());
  close_idle_connections();
}

void Server::replace_record(const config::Server* record) {
  FAIRLEAD_CHECK(record->metadata.uid == uid());
  bool moved = !(record->address == record_->address);
  record_ = base::Ref<const config::Server>(record);
  if (!moved) return;
  ++address_generation_;
  if (last_session_) last_session_->clear();
  close_idle_connections();
  if (!load_) return;
  if (in_flight_ > 0) former_loads_.push_back(std::move(load_));
  load_ = SharedLoadRef();
}

SharedLoadRef Server::keep_load() const { return backend_.shared().load_of(backend_.uid(), record_); }

void Server::find_load() { load_ = keep_load(); }

void Server::count_leases(SharedTotal* total) {
  leases_.for_each([this, total](Lease& lease) {
    if (total) lease.place_.enter(*total);
    Connection* connection = lease.connection();
    bool is_elsewhere = connection && connection->address_generation() != address_generation_;
    if (lease.place_.is_counted() || is_elsewhere) return;
    load().enter();
    lease.place_.load_ = &load();
  });
}

// ---- outcomes

void Server::count(Outcome outcome) {
  const std::optional<config::OutlierDetection>& settings = backend_.settings().outlier_detection;
  if (!settings) return outcomes_.reset();
  bool is_error = outcome != Outcome::kSuccess;
  if (settings->effective_observe() == config::Observed::kConnections) is_error = outcome == Outcome::kConnectionError;
  ++outcomes_->requests;
  if (!is_error) {
    load().end_errors();
    load().end_gateway_errors();
    return;
  }
  ++outcomes_->failures;
  uint32_t limit = settings->effective_consecutive_errors();
  if (load().add_error(limit)) report(limit, /*gateway=*/false);
  uint32_t gateway_limit = settings->effective_consecutive_gateway_errors();
  if (outcome == Outcome::kError) {
    load().end_gateway_errors();
  } else if (load().add_gateway_error(gateway_limit)) {
    report(gateway_limit, /*gateway=*/true);
  }
}

void Server::report(uint32_t errors, bool gateway) {
  backend_.shared().report({.backend = {backend_.settings().slot, backend_.uid()},
                            .slot = record_->slot,
                            .server = uid(),
                            .errors = errors,
                            .gateway = gateway});
}

std::optional<OutcomeCounts> Server::take_outcomes() {
  if (!outcomes_ || outcomes_->requests == 0) return std::nullopt;
  OutcomeCounts counts = std::exchange(*outcomes_, {});
  counts.slot = record_->slot;
  counts.server = uid();
  return counts;
}

// ---- in flight, and draining

void Server::enter(Lease& lease) {
  if (++in_flight_ > needed_) needed_ = in_flight_;
  ++counters_.started;
  leases_.push_back(lease);
  if (!measurements_) [[likely]]
    return;
  lease.is_measured_ = true;
  lease.in_flight_at_start_ = in_flight_;
  lease.began_ = loop_.now();
}

void Server::leave(Lease& lease) {
  lease.unlink();
  --in_flight_;
  if (in_flight_ == 0) former_loads_.clear();
  if (in_flight_ == 0 && drain_) finish_drain();  // may be the end of this object
}

void Server::drain(DrainRequest request) {
  close_idle_connections();
  if (!drain_) {
    drain_ = std::make_unique<Drain>(
        [](runtime::Timer& timer) { static_cast<OwnTimer&>(timer).server.on_drain_timer(); }, *this);
  }
  drain_->leaves |= request.leaves;
  leaving_ |= request.leaves;
  drain_->done.push_back(std::move(request.done));
  drain_->timer.cancel();
  if (in_flight_ == 0) return finish_drain();
  if (!request.timeout) return;
  runtime::Duration jitter = std::clamp(request.jitter, runtime::Duration::zero(), *request.timeout);
  drain_->steps_left = jitter > runtime::Duration::zero() ? Drain::kSteps : 1;
  drain_->step = jitter / Drain::kSteps;
  loop_.timers().schedule(drain_->timer, loop_.now() + *request.timeout - drain_->step * (drain_->steps_left - 1));
}

void Server::cancel_drain() {
  if (leaving_) return;
  drain_.reset();
}

void Server::cut_off(Lease& lease) {
  ++counters_.cut_off;
  ++backend_.counters().cut_off;
  lease.cut_off();
}

void Server::close_connections() {
  close_idle_connections();
  leases_.for_each([this](Lease& lease) {
    if (!lease.was_cut_off()) cut_off(lease);
  });
}

void Server::on_drain_timer() {
  uint64_t uncut = 0;
  leases_.for_each([&](Lease& lease) { uncut += !lease.was_cut_off(); });
  uint64_t share = (uncut + drain_->steps_left - 1) / drain_->steps_left;
  leases_.for_each([&](Lease& lease) {
    if (share == 0 || lease.was_cut_off()) return;
    --share;
    ++drain_->cut_off;
    cut_off(lease);
  });
  if (--drain_->steps_left > 0) loop_.timers().schedule(drain_->timer, loop_.now() + drain_->step);
}

void Server::finish_drain() {
  std::unique_ptr<Drain> drain = std::move(drain_);
  drain->timer.cancel();
  for (auto& done : drain->done) done(drain->cut_off);
  if (drain->leaves) backend_.forget(*this);
}

// ---- new connections

bool Server::is_as_configured(const Connection& connection) const {
  return connection.tls() == backend_.settings().tls_context.get();
}

tls::ClientSide Server::client_side() {
  if (!last_session_) last_session_ = std::make_unique<tls::LastSession>();
  return {
      .context = backend_.settings().tls_context, .address = record_->address, .last = last_session_.get(), .alpn = {}};
}

int Server::open_socket(const config::SocketAddress& address, const config::SocketAddress* client) {
  int fd = connect_socket(address, client);
  const config::TcpOptions& tcp = backend_.settings().tcp;
  if (fd >= 0 && address.storage.ss_family != AF_UNIX && tcp.is_set()) [[unlikely]]
    net::set_tcp_options(loop_.driver(), fd, tcp);
  return fd;
}

int Server::connect_socket(const config::SocketAddress& address, const config::SocketAddress* client) {
  const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
  if (client && client->storage.ss_family == to->sa_family) [[unlikely]] {
    return loop_.driver().connect_from(reinterpret_cast<const sockaddr*>(&client->storage), client->size,
                                       runtime::Source::kForeign, to, address.size);
  }
  const std::optional<config::Endpoint>& source = backend_.settings().pool.source_address;
  if (!source || source->family() != to->sa_family) [[likely]]
    return loop_.driver().connect(to, address.size);
  config::SocketAddress from = source->to_socket_address();
  return loop_.driver().connect_from(reinterpret_cast<const sockaddr*>(&from.storage), from.size, runtime::Source::kOwn,
                                     to, address.size);
}

runtime::IoResult<std::unique_ptr<Connection>> Server::open_connection(const config::SocketAddress* client) {
  const bool is_counted = backend_.limits_connections();
  if (is_counted && !backend_.begin_connection()) [[unlikely]]
    return std::unexpected(runtime::IoError::kOverLimit);
  return open_begun(is_counted, client);
}

runtime::IoResult<std::unique_ptr<Connection>> Server::open_spare_connection() {
  const bool is_counted = backend_.limits_connections();
  if (is_counted && !backend_.begin_spare_connection()) return std::unexpected(runtime::IoError::kOverLimit);
  return open_begun(is_counted, nullptr);
}

runtime::IoResult<std::unique_ptr<Connection>> Server::open_begun(bool is_counted,
                                                                  const config::SocketAddress* client) {
  int fd = open_socket(record_->address.to_socket_address(), client);
  if (fd < 0) {
    if (is_counted) backend_.end_connection();
    return std::unexpected(runtime::io_error_of(-fd));
  }
  auto connection = std::make_unique<Connection>(*this, address_generation_, loop_, fd);
  if (is_counted) connection->is_counted();
  return connection;
}

}  // namespace fairlead::upstream
