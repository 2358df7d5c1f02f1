#include "proxy/exchange.h"

#include <algorithm>

#include "codec/http1_writer.h"
#include "proxy/exchange_state.h"
#include "proxy/hedge.h"
#include "proxy/request_side.h"
#include "proxy/response_side.h"
#include "proxy/retry.h"
#include "proxy/route_actions.h"

namespace fairlead::proxy {

ExchangeState::ExchangeState(Client& of_client, const http::RequestHead& head)
    : client(of_client),
      context(of_client.context()),
      started(of_client.request_began()),
      method(head.method),
      version(head.version),
      keep_alive(head.keep_alive),
      upgrade_asked(head.upgrade),
      chunked(head.body.kind == http::BodyKind::kChunked),
      request_body(head.body),
      out(context.buffers),
      reply(context.buffers),
      log(of_client, head),
      uploads(context.loop) {}
ExchangeState::~ExchangeState() = default;

namespace {

using runtime::Task;

void count_response(ExchangeState& x, uint16_t status) {
  auto took = std::chrono::duration_cast<std::chrono::microseconds>(x.now() - x.started).count();
  auto latency = static_cast<uint64_t>(std::max<int64_t>(took, 0));
  for (observe::Counters* counters : {&x.backend->counters(), &x.lease->server().counters()}) {
    ++counters->statuses[status / 100 - 1];
    ++counters->finished;
    counters->latency.record(latency);
  }
  x.lease->server().note(upstream::outcome_of_status(status));
}

// Faults of the request itself are counted as those are that its head is refused for.
void count_bad_request(ExchangeState& x, const Fault& fault) {
  observe::BadRequests& counters = x.client.listener().bad_requests;
  if (&fault == &faults::kLoop) counters.add(codec::RefusalKind::kLoop);
  if (&fault == &faults::kPathRefused) counters.add(codec::RefusalKind::kTarget);
  if (&fault == &faults::kBodyTooLarge) counters.add(codec::RefusalKind::kTooLarge);
  if (&fault == &faults::kHeadTooLarge) counters.add(codec::RefusalKind::kTooLarge);
  if (&fault == &faults::kBadBody) counters.add(codec::RefusalKind::kBody);
  if (&fault == &faults::kClientSlow) counters.add(codec::RefusalKind::kTimeout);
}

// Where the client is gone, the server sees a reset: a plain end might be a client's that only has no more to say, and
// the server (or the proxy there) would work on for nobody.
void end_lease(ExchangeState& x, const Fault& fault) {
  if (&fault == &faults::kClientGone && x.lease && x.lease->connection()) x.lease->stream().reset_on_close();
  x.lease.reset();
}

// The one place where a fault becomes a status or a close.
Task<After> give_up(ExchangeState& x, const Fault& fault) {
  co_await end_upload(x);
  if (x.lease) count_fault(x, *x.lease, fault);
  end_lease(x, fault);
  x.end_log(fault.status, fault.cause);
  count_bad_request(x, fault);
  if (x.backend) {
    ++x.backend->counters().failed[static_cast<int>(fault.failure)];
    if (fault.status != 0) ++x.backend->counters().statuses[fault.status / 100 - 1];
  } else if (&fault == &faults::kLoop || &fault == &faults::kNoRoute || &fault == &faults::kNoBackend) {
    ++x.client.listener().unrouted;
  }
  if (fault.status == 0) co_return After::kClose;
  codec::LocalReply reply{
      .status = fault.status, .date_line = x.context.date_line(), .retry_after_seconds = x.retry_after_seconds};
  // The page outlives a change of the listener.
  base::Ref<const config::ErrorPages> pages = x.listener().error_pages;
  if (const config::ErrorPage* page = pages ? pages->find(fault.status) : nullptr)
    reply.body = codec::LocalReply::Body{page->effective_content_type(), page->body};
  co_return co_await send_local_reply(x, reply);
}

// The response has begun and cannot go on: the client must see that it is not whole. `status`: which it has seen; 0
// where it may have seen none.
Task<After> abort_response(ExchangeState& x, uint16_t status, const Fault& fault) {
  // A body that ends with its connection would look whole.
  x.client.stream().reset_on_close();
  co_await end_upload(x);
  count_fault(x, *x.lease, fault);
  ++x.backend->counters().failed[static_cast<int>(fault.failure)];
  end_lease(x, fault);
  x.end_log(status, fault.cause);
  co_return After::kClose;
}

Task<After> tunnel(ExchangeState& x) {
  std::string_view how = co_await run_upgraded(x);
  count_response(x, 101);
  x.end_log(101, how);
  co_return After::kClose;
}

// When the client must have taken what is in `out`.
runtime::TimePoint written_by(ExchangeState& x) {
  const config::MinimumRates& rates = x.listener().minimum_rates;
  if (!rates.send) [[likely]]
    return runtime::kNever;
  x.send_pace = Pace(rates.effective_send(), rates.effective_grace());
  x.sends_since = x.now();
  return x.send_pace.written_by(x.now(), x.out.size());
}

const Fault& not_written(ExchangeState& x, net::IoError error) {
  if (x.lease->was_cut_off()) return faults::kCutOff;
  const bool is_slow = x.send_pace.has_run_out(x.sends_since, x.now(), x.out.size());
  if (error != net::IoError::kTimedOut || !is_slow) return faults::kClientGone;
  ++x.client.listener().too_slow;
  return faults::kReadsTooSlowly;
}

After finish(ExchangeState& x, const Answer& answer, bool answered_early) {
  count_response(x, answer.status);
  x.end_log(answer.status, "complete");
  // Bytes behind the response are nobody's.
  if (answer.reusable && !answered_early && x.reply.empty())
    x.lease->keep(answer.keep_for, x.settings().pool.effective_max_idle());
  if (!answer.close && !answered_early) return After::kNextRequest;
  bool client_is_silent = x.client.in().empty() && !x.client.stream().channel().is_readable();
  return x.request_body.done() && client_is_silent ? After::kClose : After::kCloseLingering;
}

}  // namespace

Task<After> exchange(Client& client, size_t request_size) {
  const http::RequestHead& head = client.context().request;
  ExchangeState x(client, head);
  // The head's bytes stay where they are until somebody reads into the buffer, after write_request().
  client.in().consume(request_size);
  FaultOrNull fault = find_backend(x, head);
  if (!fault) fault = write_request(x, head);
  if (fault == &faults::kAnsweredByRoute) [[unlikely]]
    co_return co_await answer_by_route(x);
  if (fault) co_return co_await give_up(x, *fault);

  size_t response_size = 0;
  while (true) {
    std::string_view rest;
    fault = pick_server(x);
    if (fault == &faults::kAllFull) fault = co_await wait_for_server(x);
    if (!fault && !(x.may_reuse() && x.lease->reuse())) fault = co_await open_connection(x);
    if (!fault) fault = send_at_once(x, rest);
    if (!fault && !rest.empty()) fault = co_await send_rest(x, rest);
    if (!fault) {
      begin_upload(x);
      fault = co_await await_response(x, response_size);
    }
    if (!fault) fault = unwelcome_status(x);
    if (!fault) break;
    if (!may_retry(x, *fault)) co_return co_await give_up(x, *fault);
    if (x.lease) count_fault(x, *x.lease, *fault);
    begin_retry(x);
    fault = co_await back_off(x.settings().retry.back_off, x.tries, x.context, [&x] { return x.client_is_gone(); });
    if (fault) co_return co_await give_up(x, *fault);
  }

  x.lease->answered(&x.context.response);
  Answer answer(x);
  fault = write_answer(x, response_size, answer);
  if (fault) co_return co_await give_up(x, *fault);
  x.lease->response_began();
  if (answer.close && answer.body.done() && !x.uploading && answer.status != 101)
    client.stream().channel().expect_end();
  auto written = co_await client.stream().write_all(x.out.unread(), x.listener().idle_timeout(), written_by(x));
  if (!written) co_return co_await abort_response(x, 0, not_written(x, written.error()));
  x.bytes_to_client().add(x.out.size());
  x.send_pace.moved(x.out.size(), x.now() - x.sends_since);
  if (answer.status == 101) co_return co_await tunnel(x);
  if (!answer.body.done()) fault = co_await relay_answer(x, answer);
  if (fault) co_return co_await abort_response(x, answer.status, *fault);

  bool answered_early = x.uploading;
  if (answered_early) co_await end_upload(x);
  co_return finish(x, answer, answered_early);
}

}  // namespace fairlead::proxy
