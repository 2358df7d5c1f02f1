#include "proxy/exchange.h"

#include <algorithm>
#include <cerrno>

#include "codec/http1_response.h"
#include "codec/http1_writer.h"
#include "proxy/exchange_state.h"
#include "routing/router.h"

namespace fairlead::proxy {
namespace {

using net::IoResult;
using runtime::Task;
using runtime::TimePoint;

// A server may send this many interim responses (1xx) before the final one.
constexpr int kInterimHeadsMax = 16;

constexpr Fault kLoop{508, observe::Failure::kClient, Retry::kNever, "request_loop"};
// The request is for us, and OPTIONS asks for no more than that (RFC 9110 section 7.6.2).
constexpr Fault kLastHop{200, observe::Failure::kClient, Retry::kNever, "max_forwards"};
constexpr Fault kNoRoute{404, observe::Failure::kNoServer, Retry::kNever, "no_route"};
constexpr Fault kNoBackend{503, observe::Failure::kNoServer, Retry::kNever, "backend_deleted"};
constexpr Fault kNoServer{503, observe::Failure::kNoServer, Retry::kNever, "no_eligible_server"};
constexpr Fault kHeadTooLarge{431, observe::Failure::kClient, Retry::kNever, "head_too_large_to_forward"};
constexpr Fault kBadBody{400, observe::Failure::kClient, Retry::kNever, "malformed_request_body"};
constexpr Fault kClientGone{0, observe::Failure::kClient, Retry::kNever, "client_gone"};
constexpr Fault kClientSlow{408, observe::Failure::kClient, Retry::kNever, "request_body_timeout"};
constexpr Fault kConnectRefused{503, observe::Failure::kConnect, Retry::kSafe, "connect_failed"};
constexpr Fault kConnectTimeout{504, observe::Failure::kTimeout, Retry::kSafe, "connect_timeout"};
constexpr Fault kCutOffConnecting{503, observe::Failure::kConnect, Retry::kSafe, "drain_deadline"};
constexpr Fault kNothingSent{502, observe::Failure::kResponse, Retry::kSafe, "send_failed"};
constexpr Fault kCutOff{503, observe::Failure::kResponse, Retry::kNever, "drain_deadline"};
constexpr Fault kResponseTimeout{504, observe::Failure::kTimeout, Retry::kNever, "response_timeout"};
constexpr Fault kClosedWhileReused{502, observe::Failure::kResponse, Retry::kIfIdempotent, "closed_before_response"};
constexpr Fault kClosedEarly{502, observe::Failure::kResponse, Retry::kNever, "closed_before_response"};
constexpr Fault kSendFailed{502, observe::Failure::kResponse, Retry::kNever, "send_failed"};
constexpr Fault kBadResponse{502, observe::Failure::kResponse, Retry::kNever, "malformed_response"};
constexpr Fault kTooManyInterim{502, observe::Failure::kResponse, Retry::kNever, "too_many_interim_responses"};
constexpr Fault kResponseCut{0, observe::Failure::kResponse, Retry::kNever, "response_incomplete"};
constexpr Fault kResponseStalled{0, observe::Failure::kTimeout, Retry::kNever, "response_body_timeout"};

// ---- the steps; exchange() below puts them together

// Where the request goes, and whether it goes anywhere.
std::optional<Fault> find_backend(ExchangeState& x, const http::RequestHead& head) {
  if (codec::via_names(head.headers, x.context.via_name)) return kLoop;
  if (head.max_forwards == 0u) return kLastHop;
  x.client.listener().refresh(x.context.upstreams.snapshot());
  x.route = routing::route(x.listener().route_table, head.host, head.path);
  if (x.route.uid == 0) return kNoRoute;
  auto found = x.context.upstreams.find(x.route);
  if (!found) return kNoBackend;
  x.backend = found.backend;
  x.use.emplace(*found.backend);
  x.log.backend(x.settings());
  return {};
}

codec::ForwardedPolicy codec_policy(config::ForwardedPolicy policy) {
  switch (policy) {
    case config::ForwardedPolicy::kAppend:
      return codec::ForwardedPolicy::kAppend;
    case config::ForwardedPolicy::kReplace:
      return codec::ForwardedPolicy::kReplace;
    case config::ForwardedPolicy::kKeep:
      return codec::ForwardedPolicy::kKeep;
  }
  return codec::ForwardedPolicy::kReplace;
}

// Writes the head anew, and behind it what has come of the body. From here on the parsed head is not looked at.
std::optional<Fault> write_request(ExchangeState& x, const http::RequestHead& head) {
  codec::RequestOptions options{.forwarded = codec_policy(x.listener().effective_forwarded()),
                                .client_address = x.client.address(),
                                .via_name = x.context.via_name};
  std::optional<size_t> size = codec::write_request_head(head, options, x.out.room());
  if (!size) return kHeadTooLarge;
  x.out.commit(*size);
  MovedBody moved = move_body(x.request_body, x.client.in(), x.out, x.chunked);
  if (!moved.error.empty()) return kBadBody;
  x.client.in().release_if_empty();
  return {};
}

std::optional<Fault> pick_server(ExchangeState& x) {
  x.lease.reset();
  auto found = x.context.upstreams.find(x.route);
  if (!found) return kNoBackend;
  auto* server = found.backend->pick(*found.members, std::span(x.tried.data(), x.tries));
  if (!server) return kNoServer;
  x.tried[x.tries++] = server->uid();
  x.lease.emplace(*server, x.client.stream().channel());
  x.log.server(server->record());
  return {};
}

bool client_is_gone(ExchangeState& x) {
  const runtime::Channel& client = x.client.stream().channel();
  return client.is_hung_up() || client.is_cancelled();
}

Fault connect_fault(net::IoError error) { return error == net::IoError::kTimedOut ? kConnectTimeout : kConnectRefused; }

Task<std::optional<Fault>> open_connection(ExchangeState& x) {
  auto connected = co_await x.lease->connect(x.settings().connect_timeout());
  if (client_is_gone(x)) co_return kClientGone;
  if (x.lease->was_cut_off()) co_return kCutOffConnecting;
  if (!connected) co_return connect_fault(connected.error());
  x.log.connected();
  co_return std::nullopt;
}

// Of a server that broke before its response began. A connection that was used before may have been closed by the
// server at the moment when we wrote: that says nothing about the request.
Fault broken_before_response(ExchangeState& x) {
  if (x.lease->was_cut_off()) return kCutOff;
  return x.lease->connection()->is_reused() && !x.answer_begun ? kClosedWhileReused : kClosedEarly;
}

Task<std::optional<Fault>> send_request(ExchangeState& x) {
  std::string_view rest = x.out.unread();
  runtime::Channel& server = x.lease->stream().channel();
  // Most often all of it at once. A connection that takes not even the first byte has carried nothing.
  if (server.is_writable() && !server.is_cancelled()) {
    ssize_t count = server.try_write(std::span<const char>(rest));
    if (count < 0 && count != -EAGAIN) co_return kNothingSent;
    if (count > 0) rest.remove_prefix(static_cast<size_t>(count));
  }
  IoResult<void> written;
  if (!rest.empty()) written = co_await x.lease->stream().write_all(rest, x.settings().idle_timeout());
  if (!written && client_is_gone(x)) co_return kClientGone;
  if (!written && written.error() == net::IoError::kTimedOut) co_return kResponseTimeout;
  // A server that does not read on may have answered already: then its response counts.
  if (!written && !x.lease->stream().channel().is_readable()) {
    Fault fault = broken_before_response(x);
    co_return fault.retry == Retry::kNever && !x.lease->was_cut_off() ? kSendFailed : fault;
  }
  x.bytes_from_client().add(x.out.size());
  x.sent_at = x.now();
  co_return std::nullopt;
}

// The rest of the request's body, beside the response.
Task<void> upload(ExchangeState& x) {
  net::Stream& server = x.lease->stream();
  x.upload_end = co_await relay_body(BodyRelay{.decoder = x.request_body,
                                               .buffer = x.client.in(),
                                               .source = x.client.stream(),
                                               .sink = server,
                                               .chunked = x.chunked,
                                               .source_timeout = x.listener().idle_timeout(),
                                               .sink_timeout = x.settings().idle_timeout(),
                                               .bytes = x.bytes_from_client()});
  x.uploading = false;
  x.sent_at = x.now();
  // The server must not take a part of the body for the whole. (One that stopped reading may have an answer for us.)
  if (*x.upload_end != RelayEnd::kDone && *x.upload_end != RelayEnd::kSinkFailed) server.cancel();
}

void begin_upload(ExchangeState& x) {
  if (x.request_body.done() || x.upload_begun) return;
  x.upload_begun = x.uploading = true;
  x.uploads.spawn(upload(x));
}

Task<void> end_upload(ExchangeState& x) {
  if (!x.uploading) co_return;
  x.client.stream().channel().interrupt_next_wait();
  x.lease->stream().cancel();
  co_await x.uploads.join();
  x.client.stream().channel().forget_interrupt();
}

Fault response_fault(ExchangeState& x, net::IoError error) {
  if (x.lease->was_cut_off()) return kCutOff;
  if (x.upload_end == RelayEnd::kMalformed) return kBadBody;
  if (x.upload_end == RelayEnd::kSourceTimedOut) return kClientSlow;
  if (x.upload_end == RelayEnd::kSinkTimedOut) return kResponseTimeout;
  if (x.upload_end && *x.upload_end != RelayEnd::kDone && *x.upload_end != RelayEnd::kSinkFailed) return kClientGone;
  if (client_is_gone(x)) return kClientGone;
  return error == net::IoError::kTimedOut ? kResponseTimeout : broken_before_response(x);
}

// Until the server says something. Without a buffer: a request that waits for a slow server holds only its own bytes.
Task<std::optional<Fault>> await_first_byte(ExchangeState& x) {
  while (true) {
    // As long as the request is being sent, it is the upload that watches the time.
    TimePoint deadline = (x.uploading ? x.now() : x.sent_at) + x.settings().response_timeout();
    auto readable = co_await x.lease->stream().readable(deadline);
    if (readable) co_return std::nullopt;
    bool early = x.uploading || x.sent_at + x.settings().response_timeout() > x.now();
    if (readable.error() == net::IoError::kTimedOut && early) continue;
    co_return response_fault(x, readable.error());
  }
}

// Sends interim responses on as they come. HTTP/1.0 knows none.
Task<std::optional<Fault>> relay_interim(ExchangeState& x, size_t head_size) {
  if (++x.interim_heads > kInterimHeadsMax) co_return kTooManyInterim;
  if (x.version == http::Version::kHttp11) {
    x.out.release();
    auto size = codec::write_response_head(x.context.response, {.via_name = x.context.via_name}, x.out.room());
    if (!size) co_return kBadResponse;
    x.out.commit(*size);
    auto written = co_await x.client.stream().write_all(x.out.unread(), x.listener().idle_timeout());
    if (!written) co_return kClientGone;
  }
  x.reply.consume(head_size);
  co_return std::nullopt;
}

// Reads until the final response's head stands parsed in context.response, at the beginning of x.reply.
Task<std::expected<size_t, Fault>> await_response(ExchangeState& x) {
  codec::ResponseContext request{.method = x.method, .upgrade_asked = x.upgrade_asked};
  TimePoint deadline;
  while (true) {
    if (x.reply.empty()) {
      x.reply.release();
      auto fault = co_await await_first_byte(x);
      if (fault) co_return std::unexpected(*fault);
      deadline = x.now() + x.settings().response_timeout();  // of the head, from its first byte
    }
    auto count = co_await x.lease->stream().read_some(x.reply.room(), deadline);
    if (!count) co_return std::unexpected(response_fault(x, count.error()));
    if (*count == 0)
      co_return std::unexpected(x.reply.empty() ? response_fault(x, net::IoError::kReset) : kClosedEarly);
    x.reply.commit(*count);
    x.answer_begun = true;
    while (!x.reply.empty()) {
      auto head = codec::parse_response_head(x.reply.unread(), x.head_limits(), request, x.context.response);
      if (head.refused()) co_return std::unexpected(kBadResponse);
      if (head.incomplete()) break;
      if (!x.context.response.is_interim()) co_return head.consumed;
      auto fault = co_await relay_interim(x, head.consumed);
      if (fault) co_return std::unexpected(*fault);
    }
  }
}

void count_response(ExchangeState& x, uint16_t status) {
  auto count = [&](observe::Counters& counters) {
    ++counters.statuses[std::clamp(status / 100 - 1, 0, 4)];
    ++counters.finished;
    auto took = std::chrono::duration_cast<std::chrono::microseconds>(x.now() - x.started).count();
    counters.latency.record(static_cast<uint64_t>(std::max<int64_t>(took, 0)));
  };
  count(x.backend->counters());
  count(x.lease->server().counters());
}

void count_fault(ExchangeState& x, const Fault& fault) {
  if (x.lease) ++x.lease->server().counters().failed[static_cast<int>(fault.failure)];
}

// The one place where a fault becomes a status or a close.
Task<After> give_up(ExchangeState& x, Fault fault) {
  co_await end_upload(x);
  count_fault(x, fault);
  if (x.backend) ++x.backend->counters().failed[static_cast<int>(fault.failure)];
  x.lease.reset();
  x.end_log(fault.status, fault.cause);
  if (fault.status == 0) co_return After::kClose;
  // What is left of the request's body would have to be read before the next request.
  bool body_read = x.request_body.done() && (!x.upload_begun || x.upload_end == RelayEnd::kDone);
  bool close = !x.keep_alive || !body_read || x.client.is_finishing() || fault.failure == observe::Failure::kClient;
  x.out.release();
  auto size = codec::write_error(fault.status,
                                 {.close = close,
                                  .head_only = x.method == http::Method::kHead,
                                  .client_version = x.version,
                                  .date = x.context.date()},
                                 x.out.room());
  x.out.commit(size.value_or(0));
  if (x.backend) ++x.backend->counters().statuses[std::clamp(fault.status / 100 - 1, 0, 4)];
  auto written = co_await x.client.stream().write_all(x.out.unread(), x.listener().idle_timeout());
  if (!written) co_return After::kClose;
  co_return close ? After::kCloseLingering : After::kNextRequest;
}

// The response has begun and cannot go on: the client must see that it is not whole.
Task<After> abort_response(ExchangeState& x, Fault fault) {
  // A body that ends with its connection would look whole.
  x.client.stream().reset_on_close();
  co_await end_upload(x);
  count_fault(x, fault);
  ++x.backend->counters().failed[static_cast<int>(fault.failure)];
  x.lease.reset();
  x.end_log(0, fault.cause);
  co_return After::kClose;
}

Fault fault_of(ExchangeState& x, RelayEnd end) {
  if (x.lease->was_cut_off()) return kCutOff;
  switch (end) {
    case RelayEnd::kSourceTimedOut:
      return kResponseStalled;
    case RelayEnd::kSinkTimedOut:
    case RelayEnd::kSinkFailed:
      return kClientGone;
    case RelayEnd::kSourceFailed:
      return x.client.stream().channel().is_hung_up() ? kClientGone : kResponseCut;
    case RelayEnd::kDone:
    case RelayEnd::kMalformed:
    case RelayEnd::kTruncated:
      return kResponseCut;
  }
  return kResponseCut;
}

// The protocol has been switched: bytes go both ways until both sides have ended.
Task<After> run_upgraded(ExchangeState& x) {
  x.lease->response_began();
  auto written = co_await x.client.stream().write_all(x.out.unread(), x.listener().idle_timeout());
  if (!written) co_return co_await abort_response(x, kClientGone);
  x.out.release();
  x.lease->ignore_hang_up();
  TunnelEnd end = co_await run_tunnel(Tunnel{.client = x.client.stream(),
                                             .from_client = x.client.in(),
                                             .client_bytes = x.bytes_from_client(),
                                             .server = x.lease->stream(),
                                             .from_server = x.reply,
                                             .server_bytes = x.bytes_to_client(),
                                             .idle_timeout = x.settings().idle_timeout()});
  count_response(x, 101);
  x.lease->discard();
  x.end_log(101, x.lease->was_cut_off() ? kCutOff.cause : end == TunnelEnd::kTimedOut ? "idle" : "complete");
  co_return After::kClose;
}

// How long the server's connection may wait for its next exchange.
runtime::Duration pool_time(const config::Backend& settings, std::optional<uint32_t> server_says_seconds) {
  runtime::Duration time = settings.effective_pool_idle_timeout();
  // A second less than the server announced, so that it does not close while we write.
  if (server_says_seconds)
    time = std::min(time, runtime::Duration(std::chrono::seconds(*server_says_seconds)) - std::chrono::seconds(1));
  return time;
}

// Writes the head anew and passes the body on.
Task<After> relay_response(ExchangeState& x, size_t head_size) {
  const http::ResponseHead& head = x.context.response;
  http::BodyFraming framing = codec::framing_for_client(head, x.version);
  const uint16_t status = head.status;
  // The body would stand between the client and its new protocol.
  if (status == 101 && x.upload_begun && x.upload_end != RelayEnd::kDone) co_return co_await give_up(x, kBadResponse);
  // With the request not read to its end, the connection cannot carry another.
  const bool close = !x.keep_alive || x.client.is_finishing() || framing.kind == http::BodyKind::kUntilClose ||
                     x.uploading || (x.upload_end && *x.upload_end != RelayEnd::kDone);
  bool reusable = head.keep_alive && head.body.kind != http::BodyKind::kUntilClose && !x.uploading &&
                  (!x.upload_end || *x.upload_end == RelayEnd::kDone);
  const runtime::Duration keep_for = pool_time(x.settings(), head.keep_alive_timeout_seconds);
  codec::BodyDecoder body(head.body);
  const bool chunked = framing.kind == http::BodyKind::kChunked;

  x.out.release();
  codec::ResponseOptions options{
      .client_version = x.version, .close = close, .via_name = x.context.via_name, .date = x.context.date()};
  std::optional<size_t> size = codec::write_response_head(head, options, x.out.room());
  if (!size) co_return co_await give_up(x, kBadResponse);
  x.out.commit(*size);
  x.reply.consume(head_size);
  x.log.response_began();
  if (status == 101) co_return co_await run_upgraded(x);

  // What has come of the body goes out with the head: most responses are one write.
  if (MovedBody moved = move_body(body, x.reply, x.out, chunked); !moved.error.empty()) {
    co_return co_await give_up(x, kBadResponse);
  }
  x.lease->response_began();
  auto written = co_await x.client.stream().write_all(x.out.unread(), x.listener().idle_timeout());
  if (!written) co_return co_await abort_response(x, x.lease->was_cut_off() ? kCutOff : kClientGone);
  x.bytes_to_client().add(x.out.size());
  x.out.release();
  if (!body.done()) {
    RelayEnd end = co_await relay_body(BodyRelay{.decoder = body,
                                                 .buffer = x.reply,
                                                 .source = x.lease->stream(),
                                                 .sink = x.client.stream(),
                                                 .chunked = chunked,
                                                 .source_timeout = x.settings().idle_timeout(),
                                                 .sink_timeout = x.listener().idle_timeout(),
                                                 .bytes = x.bytes_to_client()});
    if (end != RelayEnd::kDone) co_return co_await abort_response(x, fault_of(x, end));
  }

  const bool early = x.uploading;
  co_await end_upload(x);
  count_response(x, status);
  x.end_log(status, "complete");
  // Bytes behind the response are nobody's.
  if (reusable && !early && x.reply.empty()) x.lease->keep(keep_for, x.settings().effective_pool_max_idle());
  if (!close && !early) co_return After::kNextRequest;
  bool client_is_silent = x.client.in().empty() && !x.client.stream().channel().is_readable();
  co_return x.request_body.done() && client_is_silent ? After::kClose : After::kCloseLingering;
}

}  // namespace

Task<After> exchange(Client& client, size_t head_size) {
  const http::RequestHead& head = client.context().request;
  ExchangeState x(client, head);
  // The head's bytes stay where they are until somebody reads into the buffer, after write_request().
  client.in().consume(head_size);
  std::optional<Fault> fault = find_backend(x, head);
  if (!fault) fault = write_request(x, head);
  if (fault) co_return co_await give_up(x, *fault);

  while (true) {
    fault = pick_server(x);
    if (!fault && !x.lease->reuse()) fault = co_await open_connection(x);
    if (!fault) fault = co_await send_request(x);
    std::expected<size_t, Fault> response_head = 0;
    if (!fault) {
      begin_upload(x);
      response_head = co_await await_response(x);
      if (!response_head) fault = response_head.error();
    }
    if (!fault) co_return co_await relay_response(x, *response_head);
    if (!x.may_retry(*fault)) co_return co_await give_up(x, *fault);
    count_fault(x, *fault);
    ++x.backend->counters().retried;
    x.log.retried();
  }
}

}  // namespace fairlead::proxy
