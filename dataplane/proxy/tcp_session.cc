#include "proxy/tcp_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/client_tls.h"
#include "proxy/exchange_log.h"
#include "proxy/faults.h"
#include "proxy/introduce.h"
#include "proxy/persistence.h"
#include "proxy/queueing.h"
#include "proxy/relay.h"
#include "proxy/request_key.h"
#include "proxy/retry.h"

namespace fairlead::proxy {
namespace {

using runtime::Task;

struct Connecting {
  Client& client;
  config::BackendHandle route;
  upstream::Backend& backend;
  std::optional<upstream::Lease> lease;
  std::optional<upstream::Backend::Retry> retry;
  std::array<config::Uid, 11> tried{};
  uint32_t tries = 0;
  Persistent persistent{};

  bool client_is_gone() const {
    const runtime::Channel& channel = client.stream().channel();
    return channel.is_hung_up() || channel.is_cancelled();
  }
  runtime::Duration time_of_try() const {
    const config::Backend& settings = backend.settings();
    return std::min(settings.connect_timeout(), settings.retry.per_try_timeout.value_or(runtime::Duration::max()));
  }
};

bool may_retry(Connecting& c, Retry retry) {
  const config::RetryPolicy& policy = c.backend.settings().retry;
  if (c.tries > policy.effective_attempts() || c.tries >= c.tried.size()) return false;
  // What a connection is for is not known: but nothing of it has been sent.
  if (!policy_allows(policy, retry, http::Method::kGet)) return false;
  if (c.retry || c.backend.may_begin_retry()) return true;
  ++c.backend.counters().retries_refused;
  return false;
}

// Null where there is none; then `lease` is one.
Task<FaultOrNull> find_server(Connecting& c) {
  c.lease.reset();
  auto found = c.client.context().upstreams.find(c.route);
  if (!found) co_return &faults::kNoServer;
  balancing::Key key;
  if (found.backend->settings().effective_algorithm() == config::Algorithm::kHash) {
    key = key_of(found.backend->settings().hash, nullptr, c.client.address());
  }
  const balancing::Tried tried = std::span(c.tried.data(), c.tries);
  const config::Server* preferred = nullptr;
  if (c.tries == 0 && found.backend->settings().persistence) [[unlikely]] {
    c.persistent.look_up(*found.backend, *found.members, nullptr, c.client.address(), c.client.now(), 0);
    preferred = c.persistent.preferred(*found.members);
  }
  upstream::Admission admission = found.backend->admit(*found.members, tried, key, preferred);
  if (!admission && admission.refusal() == upstream::Admission::Refusal::kFull) {
    Queued queued{.client = c.client,
                  .target = {c.route},
                  .backend = *found.backend,
                  .members = *found.members,
                  .tried = tried,
                  .key = key,
                  .persistent = c.tries == 0 ? &c.persistent : nullptr};
    std::expected<upstream::Admission, FaultOrNull> admitted = co_await wait_for_place(queued);
    if (!admitted) co_return admitted.error();
    admission = *std::move(admitted);
  }
  if (!admission) co_return &faults::kNoServer;
  if (found.backend->settings().persistence) [[unlikely]]
    c.persistent.picked(*found.backend, admission.server().record(), c.client.now());
  c.tried[c.tries++] = admission.server().uid();
  c.lease.emplace(std::move(admission), c.client.stream().channel());
  if (found.backend->settings().has_connections_of_clients()) [[unlikely]]
    introduce(c.client, found.backend->settings(), *c.lease);
  c.client.context().upstreams.look_around(c.route);
  co_return nullptr;
}

// Nothing of the client's has been sent before a server accepts, so another may always be tried.
Task<FaultOrNull> connect_to_a_server(Connecting& c, ExchangeLog& log) {
  FaultOrNull last = nullptr;
  while (true) {
    FaultOrNull none = co_await find_server(c);
    if (none == &faults::kClientGone) co_return none;
    if (none) co_return last ? last : none;
    upstream::Server& server = c.lease->server();
    log.server(server.record());
    auto connected = co_await c.lease->connect(c.time_of_try());
    if (connected) {
      c.lease->answered(nullptr);
      co_return nullptr;
    }
    last = &connect_fault(*c.lease, connected.error());
    ++server.counters().failed[static_cast<int>(last->failure)];
    if (c.client_is_gone()) co_return &faults::kClientGone;
    if (c.lease->was_cut_off() || last == &faults::kTooManyConnections) co_return last;
    c.lease->failed();
    server.note(upstream::Outcome::kConnectionError);
    if (!may_retry(c, last->retry)) co_return last;
    c.retry.emplace(c.backend);
    c.lease.reset();
    log.retried();
    FaultOrNull gone = co_await back_off(c.backend.settings().retry.back_off, c.tries, c.client.context(),
                                         [&c] { return c.client_is_gone(); });
    if (gone) co_return gone;
  }
}

void count_end(Connecting& c, runtime::TimePoint started, TunnelEnd end) {
  auto took = std::chrono::duration_cast<std::chrono::microseconds>(c.client.now() - started).count();
  auto count = [&](observe::Counters& counters) {
    counters.latency.record(static_cast<uint64_t>(took));
    switch (end) {
      case TunnelEnd::kDone:
        ++counters.finished;
        return;
      case TunnelEnd::kTimedOut:
        ++counters.failed[static_cast<int>(observe::Failure::kTimeout)];
        return;
      case TunnelEnd::kClientFailed:
        ++counters.failed[static_cast<int>(observe::Failure::kClient)];
        return;
      case TunnelEnd::kServerFailed:
        ++counters.failed[static_cast<int>(observe::Failure::kResponse)];
        return;
    }
  };
  count(c.backend.counters());
  count(c.lease->server().counters());
}

}  // namespace

Task<void> serve_tcp(Context& context, ListenerContext& listener, const Arrival& arrival) {
  Client client(context, listener, arrival);
  if (arrival.brings_header) [[unlikely]] {
    bool entered = co_await enter_with_header(client);
    if (!entered) co_return;
  }
  config::BackendHandle route;
  if (client.settings().tls_context) [[unlikely]] {
    bool begun = co_await begin_tls(client);
    if (!begun) co_return;
  } else if (client.settings().tls) [[unlikely]] {
    std::optional<config::BackendHandle> wanted = co_await find_backend_by_hello(client);
    if (!wanted) co_return;
    route = *wanted;
  }
  const runtime::TimePoint started = client.now();
  listener.refresh(context.upstreams.snapshot());
  if (route.uid == 0) route = client.settings().route_table.default_backend;
  ExchangeLog log(client);
  if (listener.rates) {
    auto wait = listener.rates->take(*listener.record, client.source(), config::RouteTarget::kNoRoute, client.now());
    if (wait > runtime::Duration::zero()) {
      ++listener.rate_limited;
      log.end(0, faults::kRateLimited.cause, 0, 0);
      co_return;
    }
  }
  auto found = context.upstreams.find(route);
  if (!found) {
    ++listener.unrouted;
    log.end(0, "backend_deleted", 0, 0);
    co_return;
  }
  upstream::Backend::Use use(*found.backend);
  log.backend(found.backend->settings());
  Connecting c{.client = client, .route = route, .backend = *found.backend, .lease = {}, .retry = {}};
  FaultOrNull fault = &faults::kTooManyRequests;
  if (use.is_within_limits()) fault = co_await connect_to_a_server(c, log);
  if (fault) {
    ++c.backend.counters().failed[static_cast<int>(fault->failure)];
    log.end(0, fault->cause, 0, 0);
    co_return;
  }
  log.connected();
  c.lease->response_began();
  c.lease->ignore_hang_up();
  observe::Counters& all = c.backend.counters();
  observe::Counters& of_server = c.lease->server().counters();
  net::Buffer from_server(context.buffers);
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  TunnelEnd end = co_await run_tunnel(
      Tunnel{.client = client.stream(),
             .from_client = client.in(),
             .client_bytes = {all.bytes_from_clients, of_server.bytes_from_clients, bytes_in},
             .server = c.lease->stream(),
             .from_server = from_server,
             .server_bytes = {all.bytes_to_clients, of_server.bytes_to_clients, bytes_out},
             .idle_timeout = std::min(client.settings().idle_timeout(), c.backend.settings().idle_timeout())});
  count_end(c, started, end);
  if (end == TunnelEnd::kDone) c.lease->server().note(upstream::Outcome::kSuccess);
  if (end == TunnelEnd::kServerFailed && !c.lease->was_cut_off()) {
    c.lease->server().note(upstream::Outcome::kConnectionError);
  }
  log.end(0, c.lease->was_cut_off() ? faults::kCutOff.cause : cause_of(end), bytes_in, bytes_out);
}

}  // namespace fairlead::proxy
