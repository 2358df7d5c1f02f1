// Of the server: its connections that wait to be used.
#include <algorithm>
#include <utility>

#include "upstream/backend.h"
#include "upstream/server.h"

namespace fairlead::upstream {

using runtime::TimePoint;

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
  const TimePoint latest = loop_.now() + backend_.settings().pool.effective_idle_timeout();
  idle_.for_each([&](Connection& connection) { connection.idle_until_ = std::min(connection.idle_until_, latest); });
  close_expired();
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

}  // namespace fairlead::upstream
