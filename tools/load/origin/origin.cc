#include "origin/origin.h"

#include <algorithm>
#include <charconv>

#include "codec/body.h"
#include "runtime/end_of_turn.h"
#include "runtime/sleep.h"

namespace fairlead::origin {
namespace {

constexpr runtime::Duration kIdleTimeout = std::chrono::minutes(5);
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kBadRequest = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

// So that closing sends a reset instead of an end.
void reset_when_closed(int fd) {
  linger option{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof option);
}

std::optional<runtime::Duration> latency_of(std::string_view query) {
  constexpr std::string_view kName = "latency_ms=";
  size_t at = query.find(kName);
  if (at == std::string_view::npos) return std::nullopt;
  query.remove_prefix(at + kName.size());
  uint32_t milliseconds = 0;
  auto [rest, error] = std::from_chars(query.data(), query.data() + query.size(), milliseconds);
  if (error != std::errc()) return std::nullopt;
  return std::chrono::milliseconds(milliseconds);
}

}  // namespace

Origin::Origin(runtime::Loop& loop, const Settings& settings)
    : loop_(loop), settings_(settings), responses_(settings), admission_(loop, settings.concurrency), scope_(loop) {}

void Origin::listen(int fd) {
  acceptors_.push_back(std::make_unique<net::Acceptor>(loop_, fd));
  scope_.spawn(accept_loop(*acceptors_.back()));
}

void Origin::stop() {
  if (std::exchange(stopping_, true)) return;
  for (auto& acceptor : acceptors_) acceptor->cancel();
  sessions_.for_each([](Session& session) {
    if (session.idle) session.stream.cancel();
  });
}

runtime::Task<void> Origin::accept_loop(net::Acceptor& acceptor) {
  while (!stopping_) {
    net::IoResult<net::Accepted> accepted = co_await acceptor.accept();
    if (accepted) {
      scope_.spawn(serve(accepted->fd));
    } else if (accepted.error() == net::IoError::kExhausted) {
      // Out of descriptors: those that end make room.
      co_await runtime::Sleep(loop_, loop_.now() + std::chrono::milliseconds(10));
    }
  }
  acceptor.channel().close();
}

runtime::Task<void> Origin::serve(int fd) {
  Session session(loop_, fd, pool_);
  session.stream.channel().assume_readable();
  sessions_.push_back(session);
  if (settings_.tcp_echo) {
    co_await serve_echo(session);
  } else {
    co_await serve_http(session);
  }
  session.unlink();
}

runtime::Task<void> Origin::serve_echo(Session& session) {
  while (!stopping_) {
    std::span<char> room = session.input.room();
    net::IoResult<size_t> count = co_await session.stream.read_some(room, loop_.now() + kIdleTimeout);
    if (!count || *count == 0) break;
    session.input.commit(*count);
    net::IoResult<void> written = co_await session.stream.write_all(session.input.unread(), kIdleTimeout);
    if (!written) break;
    session.input.consume(session.input.size());
  }
}

runtime::Task<void> Origin::serve_http(Session& session) {
  for (;;) {
    session.idle = true;
    if (stopping_) co_return;
    Request request;
    HeadEnd end = co_await read_head(session, request);
    if (end == HeadEnd::kMalformed) co_await session.stream.write_all(kBadRequest, kIdleTimeout);
    if (end != HeadEnd::kRequest) co_return;

    session.idle = false;
    in_flight_ += !request.is_health_check;
    most_in_flight_ = std::max(most_in_flight_, in_flight_);
    bool go_on = co_await serve_request(session, request);
    in_flight_ -= !request.is_health_check;
    if (!go_on) co_return;
  }
}

runtime::Task<bool> Origin::serve_request(Session& session, const Request& request) {
  std::optional<uint64_t> body_bytes = co_await read_body(session, request);
  if (!body_bytes) co_return false;
  if (!request.is_health_check) co_await work(request);
  bool go_on = co_await answer(session, request, *body_bytes);
  co_return go_on;
}

runtime::Task<Origin::HeadEnd> Origin::read_head(Session& session, Request& request) {
  for (;;) {
    if (!session.input.empty()) {
      codec::HeadResult result = codec::parse_request_head(session.input.unread(), codec::HeadLimits{}, head_);
      if (result.refused()) co_return HeadEnd::kMalformed;
      if (result.complete()) {
        request = facts_of(head_);
        session.input.consume(result.consumed);
        co_return HeadEnd::kRequest;
      }
    }
    std::span<char> room = session.input.room();
    net::IoResult<size_t> count = co_await session.stream.read_some(room, loop_.now() + kIdleTimeout);
    if (!count || *count == 0) co_return HeadEnd::kClosed;
    session.input.commit(*count);
    co_await runtime::EndOfTurn(loop_);
  }
}

Origin::Request Origin::facts_of(const http::RequestHead& head) const {
  return Request{.body = head.body,
                 .keep_alive = head.keep_alive,
                 .expect_continue = head.expect_continue,
                 .head_only = head.method == http::Method::kHead,
                 .is_health_check = head.path == settings_.health_path,
                 .latency = latency_of(head.query)};
}

runtime::Task<std::optional<uint64_t>> Origin::read_body(Session& session, const Request& request) {
  if (!request.body.has_bytes()) co_return 0;
  if (request.expect_continue) co_await session.stream.write_all(kContinue, kIdleTimeout);
  codec::BodyDecoder decoder(request.body);
  uint64_t bytes = 0;
  for (;;) {
    codec::BodyDecoder::Progress progress = decoder.decode(session.input.unread());
    if (!progress.error.empty()) co_return std::nullopt;
    bytes += progress.data.size();
    session.input.consume(progress.consumed);
    if (progress.done) co_return bytes;
    if (progress.consumed > 0 && !session.input.empty()) continue;
    std::span<char> room = session.input.room();
    net::IoResult<size_t> count = co_await session.stream.read_some(room, loop_.now() + kIdleTimeout);
    if (!count || *count == 0) co_return std::nullopt;
    session.input.commit(*count);
  }
}

runtime::Task<void> Origin::work(const Request& request) {
  co_await admission_.enter();
  runtime::Duration latency = request.latency ? *request.latency : draw_latency();
  if (latency > runtime::Duration::zero()) co_await runtime::Sleep(loop_, loop_.now() + latency);
  admission_.leave();
}

runtime::Task<bool> Origin::answer(Session& session, const Request& request, uint64_t body_bytes) {
  bool may_fail = !request.is_health_check;
  if (may_fail && draw(settings_.reset_share)) {
    reset_when_closed(session.stream.channel().fd());
    co_return false;
  }
  bool close = stopping_ || !request.keep_alive;
  ResponseFacts facts{.status = may_fail && draw(settings_.error_share) ? 500 : 200,
                      .head_only = request.head_only,
                      .close = close,
                      .has_body = request.body.has_bytes(),
                      .body_bytes = body_bytes};
  // The shared text may be composed anew for another connection while this write waits.
  std::string_view text = responses_.of(facts);
  ssize_t written = session.stream.channel().try_write(std::span<const char>(text));
  if (written == static_cast<ssize_t>(text.size())) co_return !close;
  if (written < 0 && written != -EAGAIN) co_return false;
  std::string rest(text.substr(static_cast<size_t>(std::max<ssize_t>(written, 0))));
  net::IoResult<void> result = co_await session.stream.write_all(rest, kIdleTimeout);
  co_return result && !close;
}

runtime::Duration Origin::draw_latency() {
  if (settings_.latency_shape == LatencyShape::kFixed) return settings_.latency;
  std::exponential_distribution<double> distribution;
  return runtime::Duration(
      static_cast<int64_t>(distribution(random_) * static_cast<double>(settings_.latency.count())));
}

bool Origin::draw(double share) {
  if (share <= 0) return false;
  return std::uniform_real_distribution<double>()(random_) < share;
}

}  // namespace fairlead::origin
