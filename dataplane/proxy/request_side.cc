#include "proxy/request_side.h"

#include <cerrno>
#include <utility>

#include "codec/http1_writer.h"
#include "proxy/client_tls.h"
#include "proxy/introduce.h"
#include "proxy/queueing.h"
#include "proxy/request_key.h"
#include "proxy/request_shape.h"
#include "proxy/retry.h"
#include "proxy/route_actions.h"
#include "routing/router.h"

namespace fairlead::proxy {
namespace {

using net::IoResult;
using runtime::Task;

void whole_request_is_sent(ExchangeState& x) {
  x.bytes_from_client().add(x.out.size());
  x.sent_at = x.now();
}

bool is_full(const upstream::Admission& admission) {
  return admission.refusal() == upstream::Admission::Refusal::kFull;
}

bool is_rate_limited(ExchangeState& x, uint64_t source) {
  ListenerContext& listener = x.client.listener();
  runtime::Duration wait = listener.rates->take(*listener.record, source, x.route.route, x.now());
  if (wait == runtime::Duration::zero()) return false;
  ++listener.rate_limited;
  x.retry_after_seconds = static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count());
  return true;
}

void take_lease(ExchangeState& x, upstream::Admission admission) {
  x.begin_try();
  if (x.settings().persistence) [[unlikely]]
    x.persistent.picked(*x.backend, admission.server().record(), x.now());
  x.tried[x.tries++] = admission.server().uid();
  x.lease.emplace(std::move(admission), x.client.stream().channel());
  if (x.settings().has_connections_of_clients()) [[unlikely]]
    introduce(x.client, x.settings(), *x.lease);
  x.log.server(x.lease->server().record());
}

// Until the client sends, or need not wait any more. False: nobody is to read what it sends.
Task<bool> wait_for_expectant_client(ExchangeState& x) {
  while (x.client_awaits_continue) {
    auto readable = co_await x.client.stream().readable(runtime::kNever);
    if (!readable && x.client_awaits_continue) co_return false;
    x.client_awaits_continue = false;
  }
  co_return true;
}

Task<RelayEnd> relay_request_body(ExchangeState& x) {
  if (x.client_awaits_continue) [[unlikely]] {
    bool sends = co_await wait_for_expectant_client(x);
    if (!sends) co_return RelayEnd::kSourceFailed;
  }
  const config::MinimumRates& rates = x.listener().minimum_rates;
  Pace pace(rates.effective_body(), rates.effective_grace());
  RelayEnd end = co_await relay_body(BodyRelay{.decoder = x.request_body,
                                               .buffer = x.client.in(),
                                               .source = x.client.stream(),
                                               .sink = x.lease->stream(),
                                               .chunked = x.chunked,
                                               .source_timeout = x.listener().idle_timeout(),
                                               .sink_timeout = x.settings().idle_timeout(),
                                               .bytes = x.bytes_from_client(),
                                               .source_pace = &pace,
                                               .kept = &x.kept});
  if (end == RelayEnd::kSourceTooSlow) ++x.client.listener().too_slow;
  co_return end;
}

// The rest of the request's body, beside the response.
Task<void> upload(ExchangeState& x) {
  net::Stream& server = x.lease->stream();
  x.upload_end = co_await relay_request_body(x);
  x.uploading = false;
  x.sent_at = x.now();
  // The server must not take a part of the body for the whole. (One that stopped reading may have an answer for us.)
  if (*x.upload_end != RelayEnd::kDone && *x.upload_end != RelayEnd::kSinkFailed) server.cancel();
}

}  // namespace

const Fault& body_fault(const ExchangeState& x) {
  return x.request_body.is_over_limit() ? faults::kBodyTooLarge : faults::kBadBody;
}

FaultOrNull find_backend(ExchangeState& x, const http::RequestHead& head) {
  if (codec::via_names(head.headers, x.context.via.name())) return &faults::kLoop;
  if (head.max_forwards == 0u) return &faults::kLastHop;
  x.client.listener().refresh(x.context.upstreams.snapshot());
  Sender sender{x.client.address(), x.client.source()};
  if (x.listener().http_policy.shapes_requests) [[unlikely]] {
    if (FaultOrNull fault = shape_request(x, sender)) return fault;
  }
  x.route = routing::route(x.listener().route_table, head.host, head.path);
  if (x.client.listener().rates && is_rate_limited(x, sender.source)) [[unlikely]]
    return &faults::kRateLimited;
  if (x.route.has_actions) [[unlikely]] {
    x.actions = x.listener().routes[x.route.route].actions;
    if (x.actions->answers_itself()) return &faults::kAnsweredByRoute;
  }
  if (x.route.backend.uid == 0) return &faults::kNoRoute;
  auto found = x.context.upstreams.find(x.route.backend);
  if (!found) return &faults::kNoBackend;
  x.backend = found.backend;
  x.members = found.members;
  x.use.emplace(*found.backend);
  x.log.backend(x.settings());
  if (!x.use->is_within_limits()) [[unlikely]]
    return &faults::kTooManyRequests;
  if (x.settings().effective_algorithm() == config::Algorithm::kHash) {
    x.key = key_of(x.settings().hash, &head, sender.address);
  }
  if (x.settings().persistence) [[unlikely]]
    x.persistent.look_up(*x.backend, *x.members, &head, sender.address, x.now(), x.context.second());
  return nullptr;
}

FaultOrNull write_request(ExchangeState& x, const http::RequestHead& head) {
  codec::RequestOptions options{
      .forwarded = x.listener().effective_forwarded(), .client = x.client.forwarded(), .via = &x.context.via};
  const config::HttpPolicy& policy = x.listener().http_policy;
  options.format = policy.effective_forwarded_format();
  options.keep_proto = policy.effective_trusted_hops() > 0;
  if (x.actions) [[unlikely]] {
    change_request(x);
    options.further_lines = x.actions->request_changes.lines;
  }
  std::string certificate_line;
  if (x.listener().tls) [[unlikely]]
    options.certificate_line = client_certificate_line(x.client, x.context.request.headers, certificate_line);
  if (x.settings().persistence) [[unlikely]]
    hide_cookie(x.settings(), x.context.request.headers, x.context.cookie_text);
  std::optional<size_t> size = codec::write_request_head(head, options, x.out.room());
  if (!size) return &faults::kHeadTooLarge;
  x.out.commit(*size);
  if (!x.request_body.done()) {
    x.client_awaits_continue = head.expect_continue && x.client.in().empty();
    MovedBody moved = move_body(x.request_body, x.client.in(), x.out, x.chunked);
    if (!moved.error.empty()) return &body_fault(x);
  }
  x.client.in().release_if_empty();
  return nullptr;
}

FaultOrNull pick_server(ExchangeState& x) {
  if (x.tries > 0) {
    x.lease.reset();
    x.members = x.context.upstreams.find(x.route.backend).members;
    if (!x.members) return &faults::kNoBackend;
  }
  const config::Server* preferred = x.tries == 0 ? x.persistent.preferred(*x.members) : nullptr;
  upstream::Admission admission = x.backend->admit(*x.members, x.tried_servers(), x.key, preferred);
  if (!admission) return is_full(admission) ? &faults::kAllFull : &faults::kNoServer;
  take_lease(x, std::move(admission));
  return nullptr;
}

Task<FaultOrNull> wait_for_server(ExchangeState& x) {
  Queued queued{.client = x.client,
                .target = x.route,
                .backend = *x.backend,
                .members = *x.members,
                .tried = x.tried_servers(),
                .key = x.key,
                .persistent = x.tries == 0 ? &x.persistent : nullptr};
  std::expected<upstream::Admission, FaultOrNull> admitted = co_await wait_for_place(queued);
  if (!admitted) co_return admitted.error();
  take_lease(x, *std::move(admitted));
  co_return nullptr;
}

Task<FaultOrNull> open_connection(ExchangeState& x) {
  auto connected = co_await x.lease->connect(x.within_try(x.settings().connect_timeout()));
  if (x.client_is_gone()) co_return &faults::kClientGone;
  if (!connected || x.lease->was_cut_off())
    co_return &connect_fault(*x.lease, connected ? net::IoError::kCancelled : connected.error());
  x.log.connected();
  co_return nullptr;
}

// A connection that was used before may have been closed by the server at the moment when we wrote: that says nothing
// about the request.
const Fault& broken_before_response(upstream::Lease& lease, bool answer_begun) {
  if (lease.was_cut_off()) return faults::kCutOff;
  if (lease.connection()->is_reused() && !answer_begun) return faults::kClosedWhileReused;
  return answer_begun || lease.stream().channel().is_broken() ? faults::kClosedEarly : faults::kEmptyResponse;
}

FaultOrNull send_at_once(ExchangeState& x, std::string_view& rest) {
  rest = x.out.unread();
  runtime::Channel& server = x.lease->stream().channel();
  if (!server.is_writable() || server.is_cancelled()) return nullptr;
  ssize_t count = server.try_write(std::span<const char>(rest));
  // A connection that takes not even the first byte has carried nothing.
  if (count < 0 && count != -EAGAIN) return &faults::kNothingSent;
  if (count > 0) rest.remove_prefix(static_cast<size_t>(count));
  if (rest.empty()) whole_request_is_sent(x);
  if (x.settings().effective_algorithm() == config::Algorithm::kPrequal) [[unlikely]]
    x.context.upstreams.look_around(x.route.backend);
  return nullptr;
}

Task<FaultOrNull> send_rest(ExchangeState& x, std::string_view rest) {
  IoResult<void> written = co_await x.lease->stream().write_all(rest, x.within_try(x.settings().idle_timeout()));
  if (!written && x.client_is_gone()) co_return &faults::kClientGone;
  if (!written && written.error() == net::IoError::kTimedOut) co_return &faults::kResponseTimeout;
  // A server that does not read on may have answered already: then its response counts.
  if (!written && !x.lease->stream().channel().is_readable()) {
    FaultOrNull fault = &broken_before_response(*x.lease, x.answer_begun);
    bool is_plain = fault == &faults::kClosedEarly || fault == &faults::kEmptyResponse;
    co_return is_plain ? &faults::kSendFailed : fault;
  }
  whole_request_is_sent(x);
  co_return nullptr;
}

void begin_upload(ExchangeState& x) {
  if (x.request_body.done() || x.upload_begun) return;
  x.upload_begun = x.uploading = true;
  // It may take long.
  x.out.stow();
  x.kept.is_on = x.settings().retry.effective_attempts() > 0 && x.interim_heads == 0 &&
                 x.out.size() + x.request_body.remaining() <= KeptBody::kMost;
  x.uploads.spawn(upload(x));
}

Task<void> end_upload(ExchangeState& x) {
  if (!x.uploading) co_return;
  x.client.stream().channel().interrupt_next_wait();
  x.lease->stream().cancel();
  co_await x.uploads.join();
  x.client.stream().channel().forget_interrupt();
}

}  // namespace fairlead::proxy
