#include "proxy/hedge.h"

#include <algorithm>
#include <utility>

#include "proxy/introduce.h"
#include "proxy/request_side.h"
#include "proxy/retry.h"

namespace fairlead::proxy {
namespace {

using runtime::Duration;
using runtime::Task;
using runtime::TimePoint;

// What a wait may take of `limit`.
Duration within(const Hedge& hedge, TimePoint now, Duration limit) {
  return hedge.try_deadline == runtime::kNever ? limit : std::clamp(hedge.try_deadline - now, Duration(1), limit);
}

Task<FaultOrNull> ask(ExchangeState& x, Hedge& hedge) {
  if (!(x.may_reuse() && hedge.lease.reuse())) {
    auto connected = co_await hedge.lease.connect(within(hedge, x.now(), x.settings().connect_timeout()));
    if (!connected) co_return &connect_fault(hedge.lease, connected.error());
  }
  net::Stream& server = hedge.lease.stream();
  auto written = co_await server.write_all(x.out.unread(), within(hedge, x.now(), x.settings().idle_timeout()));
  if (!written) co_return written.error() == net::IoError::kTimedOut ? &faults::kResponseTimeout : &faults::kSendFailed;
  hedge.sent_at = x.now();
  hedge.lease.server().counters().bytes_from_clients += x.out.size();
  TimePoint deadline = std::min(hedge.sent_at + x.settings().response_timeout(), hedge.try_deadline);
  auto readable = co_await server.readable(deadline);
  if (!readable) co_return &faults::kResponseTimeout;
  auto count = co_await server.read_some(hedge.reply.room(), deadline);
  if (!count || *count == 0) co_return &broken_before_response(hedge.lease, false);
  hedge.reply.commit(*count);
  co_return nullptr;
}

Task<void> run(ExchangeState& x, Hedge& hedge) {
  FaultOrNull fault = co_await ask(x, hedge);
  if (fault && hedge.lease.was_cut_off()) fault = &faults::kCutOff;
  if (fault && x.client_is_gone()) fault = &faults::kClientGone;
  if (fault && !hedge.is_dropped) count_fault(x, hedge.lease, *fault);
  hedge.fault = fault;
  hedge.is_over = true;
  // Whoever waits for the first server need not any more.
  if (!fault && x.lease) x.lease->stream().channel().interrupt_reader();
}

bool was_tried(const ExchangeState& x, config::Uid server) {
  return std::ranges::find(x.tried_servers(), server) != x.tried_servers().end();
}

}  // namespace

Hedge::Hedge(ExchangeState& x, upstream::Admission admission)
    : lease(std::move(admission), x.client.stream().channel(), upstream::Lease::Client::kIsNotWatched),
      reply(x.context.buffers),
      scope(x.context.loop) {
  const std::optional<config::Duration>& limit = x.settings().retry.per_try_timeout;
  try_deadline = limit ? x.now() + *limit : runtime::kNever;
  if (x.settings().has_connections_of_clients()) [[unlikely]]
    introduce(x.client, x.settings(), lease);
}

TimePoint hedge_time(const ExchangeState& x) {
  const std::optional<config::Duration>& after = x.settings().retry.hedge_after;
  if (!after) [[likely]]
    return runtime::kNever;
  // What is persistent belongs to its server, and a tunnel is opened once.
  bool may_be_hedged = http::is_idempotent(x.method) && x.upgrade_asked.empty() && !x.settings().persistence;
  if (!may_be_hedged || x.was_hedged || x.upload_begun || x.answer_begun) return runtime::kNever;
  return x.sent_at + *after;
}

void begin_hedge(ExchangeState& x) {
  x.was_hedged = true;
  if (x.tries >= x.tried.size()) return;
  if (!x.retry && !x.backend->may_begin_retry()) {
    ++x.backend->counters().retries_refused;
    return;
  }
  const config::BackendSnapshot* members = x.context.upstreams.find(x.route.backend).members;
  if (!members) return;
  upstream::Admission admission = x.backend->admit(*members, x.tried_servers(), x.key);
  // With all others full or gone it may be one that has the request already.
  if (!admission || was_tried(x, admission.server().uid())) return;
  x.tried[x.tries++] = admission.server().uid();
  x.retry.emplace(*x.backend);
  ++x.backend->counters().hedged;
  x.log.retried();
  x.hedge = std::make_unique<Hedge>(x, std::move(admission));
  x.hedge->scope.spawn(run(x, *x.hedge));
}

Task<void> drop_hedge(ExchangeState& x) {
  Hedge& hedge = *x.hedge;
  if (!hedge.is_over) {
    hedge.is_dropped = true;
    hedge.lease.stream().cancel();
    if (x.client_is_gone()) hedge.lease.stream().reset_on_close();
    co_await hedge.scope.join();
  }
  if (hedge.is_dropped || !hedge.fault) ++hedge.lease.server().counters().outrun;
  x.hedge.reset();
}

void take_hedge(ExchangeState& x) {
  if (x.lease) ++x.lease->server().counters().outrun;
  x.lease.reset();
  x.lease.emplace(std::move(x.hedge->lease));
  x.lease->watch_client();
  x.reply.append(x.hedge->reply.unread());
  x.try_deadline = x.hedge->try_deadline;
  x.sent_at = x.hedge->sent_at;
  x.hedge.reset();
  ++x.backend->counters().hedges_won;
  x.log.server(x.lease->server().record());
}

Task<FaultOrNull> rely_on_hedge(ExchangeState& x, const Fault& of_first) {
  Hedge& hedge = *x.hedge;
  if (of_first.failure == observe::Failure::kClient || (hedge.is_over && hedge.fault)) {
    co_await drop_hedge(x);
    co_return &of_first;
  }
  count_fault(x, *x.lease, of_first);
  x.lease.reset();
  if (!hedge.is_over) {
    hedge.lease.watch_client();
    co_await hedge.scope.join();
  }
  if (!hedge.fault) co_return nullptr;
  FaultOrNull fault = hedge.fault;
  x.hedge.reset();
  co_return fault;
}

}  // namespace fairlead::proxy
