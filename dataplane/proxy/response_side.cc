#include "proxy/response_side.h"

#include <algorithm>
#include <utility>

#include "codec/http1_response.h"
#include "codec/http1_writer.h"
#include "proxy/hedge.h"
#include "proxy/request_side.h"
#include "proxy/route_actions.h"
#include "runtime/end_of_turn.h"

namespace fairlead::proxy {
namespace {

using runtime::Task;
using runtime::TimePoint;

// A server may send this many interim responses (1xx) before the final one.
constexpr int kInterimHeadsMax = 16;

// As long as the request is being sent, it is the upload that watches the time.
TimePoint response_deadline(const ExchangeState& x) {
  if (x.uploading && !x.client_awaits_continue) return x.now() + x.settings().response_timeout();
  return std::min(x.sent_at + x.settings().response_timeout(), x.try_deadline);
}

// Null: it was only the time, and that has been given anew since the wait began.
FaultOrNull response_fault(ExchangeState& x, net::IoError error) {
  if (x.lease->was_cut_off()) return &faults::kCutOff;
  if (x.upload_end == RelayEnd::kMalformed) return &body_fault(x);
  if (x.upload_end == RelayEnd::kSourceTimedOut) return &faults::kClientSlow;
  if (x.upload_end == RelayEnd::kSourceTooSlow) return &faults::kClientTooSlow;
  if (x.upload_end == RelayEnd::kSinkTimedOut) return &faults::kResponseTimeout;
  if (x.upload_end && *x.upload_end != RelayEnd::kDone && *x.upload_end != RelayEnd::kSinkFailed)
    return &faults::kClientGone;
  if (x.client_is_gone()) return &faults::kClientGone;
  if (error != net::IoError::kTimedOut) return &broken_before_response(*x.lease, x.answer_begun);
  return response_deadline(x) > x.now() ? nullptr : &faults::kResponseTimeout;
}

// As response_fault(), where somebody else does not answer instead.
Task<FaultOrNull> without_answer(ExchangeState& x, net::IoError error) {
  if (x.hedge && x.hedge->has_answered()) co_return nullptr;
  FaultOrNull fault = response_fault(x, error);
  if (fault && x.hedge) co_return co_await rely_on_hedge(x, *fault);
  co_return fault;
}

// From now on its time counts.
void let_client_send(ExchangeState& x) {
  if (!std::exchange(x.client_awaits_continue, false) || !x.uploading) return;
  x.client.stream().channel().interrupt_reader();
}

// HTTP/1.0 knows no interim responses.
Task<FaultOrNull> relay_interim(ExchangeState& x, size_t head_size) {
  if (++x.interim_heads > kInterimHeadsMax) co_return &faults::kTooManyInterim;
  if (x.version == http::Version::kHttp11) {
    const bool says_continue = x.context.response.status == 100;
    x.kept.is_on = false;
    x.out.clear();
    auto size = codec::write_response_head(x.context.response, {.via = &x.context.via}, x.out.room());
    if (!size) co_return &faults::kBadResponse;
    x.out.commit(*size);
    auto written = co_await x.client.stream().write_all(x.out.unread(), x.listener().idle_timeout());
    if (!written) co_return x.lease->was_cut_off() ? &faults::kCutOffInterim : &faults::kClientGone;
    if (says_continue) let_client_send(x);
  }
  x.reply.consume(head_size);
  co_return nullptr;
}

}  // namespace

Task<FaultOrNull> await_response(ExchangeState& x, size_t& head_size) {
  const codec::ResponseContext request{.method = x.method, .upgrade_asked = x.upgrade_asked};
  while (true) {
    if (x.hedge && x.hedge->has_answered()) [[unlikely]] {
      take_hedge(x);
    } else {
      net::Stream& server = x.lease->stream();
      if (x.reply.empty()) {
        // Without a buffer: a request that waits for a slow server holds only its own bytes.
        x.reply.release();
        TimePoint deadline = response_deadline(x);
        TimePoint hedge_at = hedge_time(x);
        auto readable = co_await server.readable(std::min(deadline, hedge_at));
        if (!readable) {
          if (readable.error() == net::IoError::kTimedOut && hedge_at < deadline) {
            begin_hedge(x);
          } else if (FaultOrNull fault = co_await without_answer(x, readable.error())) {
            co_return fault;
          }
          continue;
        }
      }
      auto count = co_await server.read_some(x.reply.room(), response_deadline(x));
      if (!count || *count == 0) {
        if (!x.reply.empty() && count) co_return &faults::kClosedEarly;
        FaultOrNull fault = co_await without_answer(x, count ? net::IoError::kReset : count.error());
        if (fault) co_return fault;
        continue;
      }
      x.reply.commit(*count);
      if (x.hedge) [[unlikely]]
        co_await drop_hedge(x);
      co_await runtime::EndOfTurn(x.context.loop);
    }
    x.answer_begun = true;
    while (!x.reply.empty()) {
      auto head = codec::parse_response_head(x.reply.unread(), x.head_limits(), request, x.context.response);
      if (head.refused()) co_return &faults::kBadResponse;
      if (head.incomplete()) break;
      head_size = head.consumed;
      if (!x.context.response.is_interim()) co_return nullptr;
      if (FaultOrNull fault = co_await relay_interim(x, head_size)) co_return fault;
    }
  }
}

namespace {

// With the request not read to its end, neither connection can carry another.
bool upload_is_over(const ExchangeState& x) {
  return !x.uploading && (!x.upload_end || *x.upload_end == RelayEnd::kDone);
}

// How long the server's connection may wait for its next exchange.
runtime::Duration pool_time(const config::Backend& settings, std::optional<uint32_t> server_says_seconds) {
  runtime::Duration time = settings.pool.effective_idle_timeout();
  // A second less than the server announced, so that it does not close while we write.
  if (server_says_seconds)
    time = std::min(time, runtime::Duration(std::chrono::seconds(*server_says_seconds)) - std::chrono::seconds(1));
  return time;
}

}  // namespace

Answer::Answer(ExchangeState& x)
    : status(x.context.response.status),
      framing(codec::framing_for_client(x.context.response, x.version)),
      close(!x.keep_alive || x.client.is_finishing() || x.context.process->at_least(OverloadStep::kNoKeepAlive) ||
            framing.kind == http::BodyKind::kUntilClose || !upload_is_over(x)),
      reusable(x.context.response.keep_alive && x.context.response.body.kind != http::BodyKind::kUntilClose &&
               x.settings().pool.effective_reuse() != config::PoolReuse::kNever && upload_is_over(x)),
      keep_for(pool_time(x.settings(), x.context.response.keep_alive_timeout_seconds)),
      body(x.context.response.body) {
  if (x.context.response.keep_alive_max) x.lease->connection()->limit_further(*x.context.response.keep_alive_max);
}

FaultOrNull write_answer(ExchangeState& x, size_t head_size, Answer& answer) {
  // An unread body would stand between the client and its new protocol.
  if (answer.status == 101 && x.upload_begun && x.upload_end != RelayEnd::kDone) return &faults::kBadResponse;
  x.kept.is_on = false;
  x.out.clear();
  std::optional<std::string_view> cookie_lines = std::string_view();
  if (x.settings().persistence) [[unlikely]] {
    cookie_lines = x.persistent.set_cookie(x.settings(), x.lease->server().record(), x.context.response.headers,
                                           x.context.cookie_text, x.context.second());
  }
  if (!cookie_lines) return &faults::kBadResponse;
  codec::ResponseOptions options{.client_version = x.version,
                                 .close = answer.close,
                                 .via = &x.context.via,
                                 .date_line = x.context.date_line(),
                                 .further_lines = *cookie_lines};
  if (x.actions) [[unlikely]] {
    change_response(x);
    options.route_lines = x.actions->response_changes.lines;
  }
  std::optional<size_t> size = codec::write_response_head(x.context.response, options, x.out.room());
  if (!size) return &faults::kBadResponse;
  x.out.commit(*size);
  x.reply.consume(head_size);
  x.log.response_began();
  // What has come of the body goes out with the head: most responses are one write.
  if (answer.status == 101 || answer.body.done()) return nullptr;
  MovedBody moved = move_body(answer.body, x.reply, x.out, answer.chunked());
  return moved.error.empty() ? nullptr : &faults::kBadResponse;
}

Task<FaultOrNull> relay_answer(ExchangeState& x, Answer& answer) {
  x.out.release();
  RelayEnd end = co_await relay_body(BodyRelay{.decoder = answer.body,
                                               .buffer = x.reply,
                                               .source = x.lease->stream(),
                                               .sink = x.client.stream(),
                                               .chunked = answer.chunked(),
                                               .source_timeout = x.settings().idle_timeout(),
                                               .sink_timeout = x.listener().idle_timeout(),
                                               .bytes = x.bytes_to_client(),
                                               .sink_pace = &x.send_pace});
  if (end == RelayEnd::kDone) co_return nullptr;
  if (x.lease->was_cut_off()) co_return &faults::kCutOff;
  switch (end) {
    case RelayEnd::kSourceTimedOut:
    case RelayEnd::kSourceTooSlow:
      co_return &faults::kResponseStalled;
    case RelayEnd::kSinkTooSlow:
      ++x.client.listener().too_slow;
      co_return &faults::kReadsTooSlowly;
    case RelayEnd::kSinkTimedOut:
    case RelayEnd::kSinkFailed:
      co_return &faults::kClientGone;
    case RelayEnd::kSourceFailed:
      co_return x.client.stream().channel().is_hung_up() ? &faults::kClientGone : &faults::kResponseCut;
    case RelayEnd::kDone:
    case RelayEnd::kMalformed:
    case RelayEnd::kTruncated:
      break;
  }
  co_return &faults::kResponseCut;
}

Task<std::string_view> run_upgraded(ExchangeState& x) {
  x.out.release();
  x.lease->ignore_hang_up();
  TunnelEnd end = co_await run_tunnel(Tunnel{.client = x.client.stream(),
                                             .from_client = x.client.in(),
                                             .client_bytes = x.bytes_from_client(),
                                             .server = x.lease->stream(),
                                             .from_server = x.reply,
                                             .server_bytes = x.bytes_to_client(),
                                             .idle_timeout = x.tunnel_idle_timeout()});
  x.lease->discard();
  if (x.lease->was_cut_off()) co_return faults::kCutOff.cause;
  co_return cause_of(end);
}

}  // namespace fairlead::proxy
