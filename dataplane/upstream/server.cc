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

// ---- idle connections

std::unique_ptr<Connection> Server::take_idle(uint64_t client) {
  if (client != 0) [[unlikely]] {
    if (!idle_of_clients_) return nullptr;
    auto found = idle_of_clients_->find(client);
    if (found == idle_of_clients_->end()) return nullptr;
    // To the front, where it is looked at as any other.
    Connection& own = *found->second;
    own.unlink();
    idle_.push_front(own);
  }
  while (Connection* connection = idle_.front()) {
    leave_pool(*connection);
    std::unique_ptr<Connection> owned(connection);
    const bool is_good = owned->end_idle() && owned->idle_until() > loop_.now() && is_as_configured(*owned);
    // One of a client is in the way of others only when servers are told of clients no more.
    if (is_good && owned->client() == client) return owned;
    if (client != 0) break;
  }
  return nullptr;
}

void Server::leave_pool(Connection& connection) {
  connection.unlink();
  if (--idle_count_ == 0) ListNode<WithIdleTag>::unlink();
  if (connection.client() != 0) [[unlikely]]
    idle_of_clients_->erase(connection.client());
}

void Server::put_idle(std::unique_ptr<Connection> connection, runtime::Duration idle_timeout, uint32_t max_idle) {
  const uint64_t client = connection->client();
  if (client != 0) [[unlikely]] {
    if (!idle_of_clients_) idle_of_clients_ = std::make_unique<absl::flat_hash_map<uint64_t, Connection*>>();
    // Those of clients that are gone are of no use to others.
    if (idle_count_ >= max_idle && idle_count_ > 0) close_idle(*idle_.back());
    if (idle_of_clients_->contains(client)) return;
  }
  bool welcome = !drain_ && connection->may_carry_another(backend_.settings().pool.effective_max_requests()) &&
                 connection->address_generation() == address_generation_ && idle_count_ < max_idle &&
                 is_as_configured(*connection) && idle_timeout > runtime::Duration::zero();
  if (!welcome || !connection->is_quiet()) return;
  connection->count_exchange();
  park(std::move(connection), idle_timeout);
}

void Server::park(std::unique_ptr<Connection> connection, runtime::Duration idle_timeout) {
  connection->begin_idle(loop_.now() + idle_timeout);
  if (connection->client() != 0) [[unlikely]]
    idle_of_clients_->emplace(connection->client(), connection.get());
  idle_.push_front(*connection.release());
  if (idle_count_++ == 0) backend_.note_idle(*this);
  // Left where it stands while it is scheduled: it looks for itself what is due when it fires.
  if (idle_timer_.is_scheduled()) [[likely]]
    return;
  schedule_idle_timer();
}

uint32_t Server::room_for_idle() const {
  const config::PoolSettings& pool = backend_.settings().pool;
  // Those that are said to be of a client serve nobody else.
  const bool keeps_any = !drain_ && !backend_.settings().has_connections_of_clients() &&
                         pool.effective_idle_timeout() > runtime::Duration::zero();
  return keeps_any ? pool.effective_max_idle() - std::min(pool.effective_max_idle(), idle_count_) : 0;
}

void Server::keep_warm(std::unique_ptr<Connection> connection) {
  bool welcome =
      room_for_idle() > 0 && connection->address_generation() == address_generation_ && is_as_configured(*connection);
  if (!welcome || !connection->is_quiet()) return;
  ++counters_.warmed;
  ++backend_.counters().warmed;
  park(std::move(connection), backend_.settings().pool.effective_idle_timeout());
}

void Server::note_warming_failed() {
  ++counters_.warming_failed;
  ++backend_.counters().warming_failed;
}

void Server::drop_idle(Connection& connection) {
  leave_pool(connection);
  delete &connection;
}

void Server::close_idle(Connection& connection) {
  connection.end_idle();
  drop_idle(connection);
}

void Server::on_idle_timer() {
  close_expired();
  if (purge_at_ <= loop_.now()) purge_idle();
  schedule_idle_timer();
}

void Server::schedule_idle_timer() {
  if (idle_.empty()) {
    purge_at_ = runtime::kNever;
    return;
  }
  runtime::Duration delay = backend_.settings().pool.effective_purge_delay();
  if (delay == runtime::Duration::zero()) {
    purge_at_ = runtime::kNever;
  } else if (purge_at_ == runtime::kNever) {
    purge_at_ = loop_.now() + delay;
  }
  TimePoint next = purge_at_;
  idle_.for_each([&](const Connection& connection) { next = std::min(next, connection.idle_until()); });
  loop_.timers().schedule(idle_timer_, next);
}

void Server::follow_pool_settings() {
  if (idle_.empty()) return;
  idle_timer_.cancel();
  purge_at_ = runtime::kNever;
  schedule_idle_timer();
}

void Server::close_expired() {
  idle_.for_each([&](Connection& connection) {
    if (connection.idle_until() > loop_.now()) return;
    close_idle(connection);
  });
}

// What this worker had in flight at once lately is what it may need again: beyond that half goes, each time.
void Server::purge_idle() {
  purge_at_ = runtime::kNever;
  uint32_t needed = std::max({needed_, needed_before_, in_flight_});
  needed_before_ = std::exchange(needed_, in_flight_);
  uint32_t kept = std::max(needed - in_flight_, backend_.settings().pool.effective_min_idle());
  if (idle_count_ <= kept) return;
  uint32_t surplus = (idle_count_ - kept + 1) / 2;
  counters_.purged += surplus;
  backend_.counters().purged += surplus;
  for (; surplus > 0; --surplus) {
    Connection& connection = *idle_.back();
    connection.end_idle();
    drop_idle(connection);
  }
}

void Server::close_idle_connections() {
  idle_timer_.cancel();
  purge_at_ = runtime::kNever;
  idle_.for_each([&](Connection& connection) { close_idle(connection); });
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

// ---- Lease

Lease::Lease(Lease&& other) noexcept
    : server_(other.server_),
      client_(other.client_),
      place_(std::move(other.place_)),
      connection_(std::move(other.connection_)),
      introduction_(std::move(other.introduction_)),
      watches_client_(std::exchange(other.watches_client_, false)),
      response_began_(other.response_began_),
      cut_off_(other.cut_off_),
      is_measured_(std::exchange(other.is_measured_, false)),
      in_flight_at_start_(other.in_flight_at_start_),
      began_(other.began_) {
  ++server_.in_flight_;
  server_.leases_.push_back(*this);
}

Lease::~Lease() {
  if (is_measured_) [[unlikely]]
    note_silence();
  discard();
  bool frees = place_.is_counted();
  place_.leave();
  if (frees) server_.backend_.note_free(server_);
  server_.leave(*this);
}

void Lease::watch_client() {
  watches_client_ = true;
  if (connection_) client_.on_hang_up_cancel(&connection_->stream().channel());
}

bool Lease::reuse() {
  connection_ = server_.take_idle(introduction_ ? introduction_->client : 0);
  if (!connection_) return false;
  if (watches_client_) client_.on_hang_up_cancel(&connection_->stream().channel());
  return true;
}

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

runtime::Task<runtime::IoResult<void>> Lease::connect(runtime::Duration timeout) {
  const bool comes_from_client = introduction_ && introduction_->source;
  runtime::IoResult<std::unique_ptr<Connection>> opened =
      server_.open_connection(comes_from_client ? &*introduction_->source : nullptr);
  if (!opened) co_return std::unexpected(opened.error());
  connection_ = *std::move(opened);
  if (watches_client_) client_.on_hang_up_cancel(&connection_->stream().channel());
  const TimePoint deadline = server_.loop_.now() + timeout;
  auto connected = co_await connection_->connected(deadline);
  if (!connected) {
    discard();
    co_return connected;
  }
  if (introduction_) [[unlikely]] {
    connection_->belongs_to(introduction_->client);
    if (!introduction_->header.empty()) {
      auto written = co_await connection_->stream().write_all(introduction_->header, timeout);
      if (!written) {
        discard();
        co_return std::unexpected(written.error());
      }
    }
  }
  if (server_.backend_.settings().tls_context) [[unlikely]] {
    runtime::IoResult<void> secured =
        co_await connection_->secured(server_.backend_.tls(), server_.client_side(), deadline);
    if (!secured) discard();
    co_return secured;
  }
  co_return connected;
}

void Lease::note_answer(const http::ResponseHead* head) {
  is_measured_ = false;
  runtime::TimePoint now = server_.loop_.now();
  Measurements& measurements = server_.measure();
  measurements.observe(now - began_, in_flight_at_start_, now, server_.backend_.settings());
  if (head) measurements.take_report(*head, now);
}

void Lease::note_failure() {
  is_measured_ = false;
  runtime::TimePoint now = server_.loop_.now();
  auto latency = std::max<runtime::Duration>(now - began_, Measurements::kFailure);
  server_.measure().observe(latency, in_flight_at_start_, now, server_.backend_.settings());
}

void Lease::note_silence() {
  runtime::TimePoint now = server_.loop_.now();
  server_.measure().observe_at_least(now - began_, in_flight_at_start_, now, server_.backend_.settings());
}

void Lease::keep(runtime::Duration idle_timeout, uint32_t max_idle) {
  ignore_hang_up();
  if (!cut_off_) server_.put_idle(std::move(connection_), idle_timeout, max_idle);
  connection_.reset();
}

void Lease::discard() {
  ignore_hang_up();
  connection_.reset();
}

void Lease::cut_off() {
  cut_off_ = true;
  if (connection_) connection_->stream().cancel();
  if (response_began_) {
    client_.cancel();
  } else {
    client_.interrupt_writer();
  }
}

}  // namespace fairlead::upstream
