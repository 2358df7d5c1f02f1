#include "proxy/http_session.h"

#include <cerrno>
#include <optional>

#include "codec/http1_request.h"
#include "codec/http1_writer.h"
#include "proxy/client_tls.h"
#include "proxy/exchange.h"
#include "proxy/exchange_log.h"
#include "proxy/pace.h"
#include "runtime/end_of_turn.h"

namespace fairlead::proxy {
namespace {

using runtime::Task;
using runtime::TimePoint;

constexpr codec::Refusal kHeadTimeout{408, "request_head_timeout", codec::RefusalKind::kTimeout};
constexpr codec::Refusal kHeadTooSlow{408, "request_head_too_slow", codec::RefusalKind::kTimeout};
constexpr codec::Refusal kMisdirected{421, "misdirected", codec::RefusalKind::kHost};

codec::HeadResult parse_head(Client& client) {
  codec::HeadLimits limits{.max_head_bytes = client.settings().effective_max_head_bytes(),
                           .max_headers = client.settings().effective_max_headers(),
                           .quirks = client.settings().http_policy.quirks};
  return codec::parse_request_head(client.in().unread(), limits, client.context().request);
}

// A request that is refused before it is one: malformed, too large, too slow. `head`: null where it has none.
// A frame of its own: the compiler would make it a part of the session's, which each idle connection has.
[[gnu::noinline]] Task<void> refuse(Client& client, const codec::Refusal& refusal,
                                    const http::RequestHead* head = nullptr) {
  client.listener().bad_requests.add(refusal.kind);
  log_refusal(client, refusal.status, refusal.cause, head);
  client.in().release();
  codec::LocalReply reply{.status = refusal.status, .date_line = client.context().date_line()};
  if (const config::ErrorPages* pages = client.settings().error_pages.get()) {
    if (const config::ErrorPage* page = pages->find(refusal.status))
      reply.body = codec::LocalReply::Body{page->effective_content_type(), page->body};
  }
  auto size = codec::write_local_reply(reply, client.in().room());
  client.in().commit(size.value_or(0));
  client.stream().channel().expect_end();
  auto written = co_await client.stream().write_all(client.in().unread(), client.settings().idle_timeout());
  if (written) co_await close_lingering(client);
}

// What has come, without waiting: the number of bytes, 0 at the end, or a negative errno.
ssize_t read_at_once(Client& client) {
  ssize_t count = client.stream().channel().try_read(client.in().room());
  if (count > 0) client.in().commit(static_cast<size_t>(count));
  return count;
}

// What some clients send behind a body is nothing of another request, as long as no more comes.
void drop_empty_line(net::Buffer& in) {
  constexpr std::string_view kEmptyLine = "\r\n";
  if (!in.empty() && in.unread() == kEmptyLine) in.consume(kEmptyLine.size());
}

enum class HeadEnd : uint8_t { kDecided, kTimedOut, kTooSlow, kGone };

// Until it is complete or refused. Who takes his time holds no more memory than what he has sent.
[[gnu::noinline]] Task<HeadEnd> read_rest_of_head(Client& client, TimePoint deadline, codec::HeadResult& head) {
  const config::MinimumRates& rates = client.settings().minimum_rates;
  Pace pace(rates.effective_head(), rates.effective_grace());
  while (head.incomplete()) {
    const TimePoint began = client.now();
    if (!client.stream().channel().is_readable()) client.in().stow();
    auto readable = co_await client.stream().readable(pace.read_until(began, deadline));
    if (!readable && readable.error() == net::IoError::kTimedOut) {
      if (client.now() >= deadline) co_return HeadEnd::kTimedOut;
      ++client.listener().too_slow;
      co_return HeadEnd::kTooSlow;
    }
    if (!readable) co_return HeadEnd::kGone;
    ssize_t count = read_at_once(client);
    if (count == -EAGAIN) continue;
    if (count <= 0) co_return HeadEnd::kGone;
    pace.moved(static_cast<size_t>(count), client.now() - began);
    head = parse_head(client);
  }
  co_return HeadEnd::kDecided;
}

}  // namespace

Task<void> serve_http(Context& context, ListenerContext& listener, const Arrival& arrival) {
  Client client(context, listener, arrival);
  if (arrival.brings_header) [[unlikely]] {
    bool entered = co_await enter_with_header(client);
    if (!entered) co_return;
  }
  if (client.settings().tls_context) [[unlikely]] {
    bool begun = co_await begin_tls(client);
    if (!begun) co_return;
  }
  // The first request is expected at once; between requests a client may take its time.
  TimePoint idle_deadline = client.now() + client.settings().request_head_timeout();
  std::optional<TimePoint> first_deadline = idle_deadline;
  while (true) {
    drop_empty_line(client.in());
    while (client.in().empty()) {
      // Idle, without a buffer.
      client.in().release();
      client.set_idle(true);
      auto readable = co_await client.stream().readable(client.idle_until(idle_deadline));
      client.set_idle(false);
      if (client.stream().channel().is_cancelled()) co_return;
      // finish() has come: from here on another deadline holds.
      if (!readable && readable.error() == net::IoError::kCancelled) continue;
      // Also at the deadline: what has come until now is still served.
      ssize_t count = read_at_once(client);
      if (count == -EAGAIN && readable) continue;
      if (count <= 0) co_return;
      drop_empty_line(client.in());
    }
    co_await runtime::EndOfTurn(context.loop);
    client.begin_request();
    TimePoint deadline = first_deadline.value_or(client.now() + client.settings().request_head_timeout());
    first_deadline.reset();
    codec::HeadResult head = parse_head(client);
    if (head.incomplete()) [[unlikely]] {
      HeadEnd end = co_await read_rest_of_head(client, deadline, head);
      if (end == HeadEnd::kTimedOut) co_await refuse(client, kHeadTimeout);
      if (end == HeadEnd::kTooSlow) co_await refuse(client, kHeadTooSlow);
      if (end != HeadEnd::kDecided) co_return;
    }
    if (head.refused()) {
      co_await refuse(client, *head.refusal);
      co_return;
    }
    if (is_misdirected(client, client.context().request)) {
      co_await refuse(client, kMisdirected, &client.context().request);
      co_return;
    }
    After after = co_await exchange(client, head.consumed);
    if (after == After::kCloseLingering) co_await close_lingering(client);
    if (after != After::kNextRequest) co_return;
    idle_deadline = client.now() + client.settings().keep_alive_timeout();
  }
}

}  // namespace fairlead::proxy
