// What the steps of an exchange share. Part of the exchange's frame; exchange.cc tells the story, this is its memory.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "codec/body.h"
#include "codec/head_result.h"
#include "proxy/client.h"
#include "proxy/exchange_log.h"
#include "proxy/faults.h"
#include "proxy/persistence.h"
#include "proxy/relay.h"
#include "runtime/scope.h"

namespace fairlead::proxy {

struct Hedge;

struct ExchangeState {
  ExchangeState(Client& of_client, const http::RequestHead& head);
  ~ExchangeState();

  Client& client;
  Context& context;
  const runtime::TimePoint started;

  // Of the request's head, which is gone once it was written anew.
  const http::Method method;
  const http::Version version;
  const bool keep_alive;
  // The protocols; empty for none.
  const std::string upgrade_asked;
  const bool chunked;
  codec::BodyDecoder request_body;

  config::RouteTarget route;
  // Null: the route does nothing but naming a backend.
  base::Ref<const config::RouteActions> actions;
  upstream::Backend* backend = nullptr;
  // Of this turn: looked up again for another try.
  const config::BackendSnapshot* members = nullptr;
  std::optional<upstream::Backend::Use> use;
  // Where the backend hashes.
  balancing::Key key;
  Persistent persistent;
  std::optional<upstream::Lease> lease;
  std::array<config::Uid, 11> tried;
  uint32_t tries = 0;
  std::optional<upstream::Backend::Retry> retry;
  // While one runs.
  std::unique_ptr<Hedge> hedge;
  bool was_hedged = false;

  // Where the listener has a minimum rate of sending.
  Pace send_pace;
  runtime::TimePoint sends_since;

  // The request as it is sent, kept until a response begins; then what is sent to the client.
  net::Buffer out;
  // While the rest of a small body is passed on, that is kept as well.
  KeptBody kept{out};
  // What came from the server.
  net::Buffer reply;
  ExchangeLog log;

  // The rest of the request's body is passed on beside the response.
  runtime::Scope uploads;
  bool uploading = false;
  bool upload_begun = false;
  std::optional<RelayEnd> upload_end;
  // It has sent nothing of the body, and may wait for a 100 that it was not sent yet: the server's time, not its own.
  bool client_awaits_continue = false;
  // When the present try has taken its time.
  runtime::TimePoint try_deadline = runtime::kNever;
  // When the server had the whole request.
  runtime::TimePoint sent_at;
  int interim_heads = 0;
  // With kRateLimited: when the client may come again.
  uint32_t retry_after_seconds = 0;
  // Something came from the server in this try, be it an interim response.
  bool answer_begun = false;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;

  runtime::TimePoint now() const { return context.loop.now(); }
  const config::Listener& listener() const { return client.settings(); }
  const config::Backend& settings() const { return backend->settings(); }
  codec::HeadLimits head_limits() const {
    return {.max_head_bytes = listener().effective_max_head_bytes(), .max_headers = listener().effective_max_headers()};
  }
  // Of both directions of a tunnel: the shorter of what both sides allow.
  runtime::Duration tunnel_idle_timeout() const {
    return std::min(listener().idle_timeout(), settings().idle_timeout());
  }
  // Requires a lease.
  ByteCounters bytes_from_client() {
    return {backend->counters().bytes_from_clients, lease->server().counters().bytes_from_clients, bytes_in};
  }
  ByteCounters bytes_to_client() {
    return {backend->counters().bytes_to_clients, lease->server().counters().bytes_to_clients, bytes_out};
  }
  void end_log(uint16_t status, std::string_view how) { log.end(status, how, bytes_in, bytes_out); }

  bool client_is_gone() const {
    const runtime::Channel& channel = client.stream().channel();
    return channel.is_hung_up() || channel.is_cancelled();
  }
  // The client has sent all of its request, and nobody reads it any more.
  bool request_is_read() const { return request_body.done() && (!upload_begun || upload_end == RelayEnd::kDone); }
  // It stands in `out`, to be sent again: no response has begun, and its body is there.
  bool is_kept() const {
    return interim_heads == 0 && (!upload_begun || (kept.is_on && request_body.done() && !uploading));
  }
  // Whether the request may go over a connection that has carried others.
  bool may_reuse() const {
    switch (settings().pool.effective_reuse()) {
      case config::PoolReuse::kAlways:
        return true;
      case config::PoolReuse::kSafe:
        return client.requests_begun() > 1;
      case config::PoolReuse::kNever:
        return false;
    }
    return true;
  }
  // What a try may take of `limit`, as its policy says.
  runtime::Duration within_try(runtime::Duration limit) const {
    return try_deadline == runtime::kNever ? limit : std::clamp(try_deadline - now(), runtime::Duration(1), limit);
  }
  balancing::Tried tried_servers() const { return std::span(tried.data(), tries); }
  void begin_try() {
    const std::optional<config::Duration>& limit = settings().retry.per_try_timeout;
    try_deadline = limit ? now() + *limit : runtime::kNever;
  }
};

}  // namespace fairlead::proxy
