// Of the server: what one exchange holds of it.
#include <utility>

#include "upstream/backend.h"
#include "upstream/server.h"

namespace fairlead::upstream {

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

runtime::Task<runtime::IoResult<void>> Lease::connect(runtime::Duration timeout) {
  const bool comes_from_client = introduction_ && introduction_->source;
  runtime::IoResult<std::unique_ptr<Connection>> opened =
      server_.open_connection(comes_from_client ? &*introduction_->source : nullptr);
  if (!opened) co_return std::unexpected(opened.error());
  connection_ = *std::move(opened);
  if (watches_client_) client_.on_hang_up_cancel(&connection_->stream().channel());
  const runtime::TimePoint deadline = server_.loop_.now() + timeout;
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
