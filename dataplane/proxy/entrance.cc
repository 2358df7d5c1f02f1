#include "proxy/entrance.h"

#include <array>
#include <cerrno>
#include <memory>

#include "codec/proxy_protocol.h"
#include "proxy/client.h"
#include "proxy/exchange_log.h"

namespace fairlead::proxy {
namespace {

using observe::Refusal;

bool refuse(ListenerContext& listener, Refusal cause) {
  ++listener.refused;
  ++listener.refusals[static_cast<size_t>(cause)];
  return false;
}

// By its address. `is_counted` becomes true where it has a place in the counts.
bool may_client_enter(ListenerContext& listener, std::optional<config::IpNumber> address, bool& is_counted) {
  const config::Listener& record = *listener.record;
  if (!record.access.allows(address)) return refuse(listener, Refusal::kDenied);
  const uint32_t limit = record.effective_max_connections_per_client();
  if (limit == 0 || !address) return true;
  is_counted = listener.of_all_workers->client_counts.enter(source_of(address), limit);
  return is_counted || refuse(listener, Refusal::kClientFull);
}

// Where the listener asks more than how many there are.
bool may_enter_guarded(ListenerContext& listener, Arrival& arrival) {
  const config::ProxyProtocol& proxy = listener.record->proxy_protocol;
  const std::optional<config::IpNumber> address = config::ip_number(arrival.accepted.from);
  if (proxy.is_on()) {
    arrival.brings_header = proxy.trusts(address);
    if (arrival.brings_header) return true;
    if (!proxy.allow_others) return refuse(listener, Refusal::kUntrusted);
  }
  return may_client_enter(listener, address, arrival.is_counted);
}

void leave_counts(Context& context, ListenerContext& listener) {
  listener.of_all_workers->open.fetch_sub(1, std::memory_order_relaxed);
  context.process->leave();
}

}  // namespace

bool may_enter(Context& context, ListenerContext& listener, Arrival& arrival) {
  if (context.process->at_least(OverloadStep::kNoConnections)) [[unlikely]]
    return refuse(listener, Refusal::kOverload);
  if (!context.process->enter()) [[unlikely]]
    return refuse(listener, Refusal::kProcessFull);
  const uint32_t limit = listener.record->effective_max_connections();
  const uint32_t open = listener.of_all_workers->open.fetch_add(1, std::memory_order_relaxed);
  if (limit != 0 && open >= limit) {
    leave_counts(context, listener);
    return refuse(listener, Refusal::kListenerFull);
  }
  if (!listener.is_guarded || may_enter_guarded(listener, arrival)) [[likely]]
    return true;
  leave_counts(context, listener);
  return false;
}

// ---- the PROXY header

namespace {

enum class Look : uint8_t { kMore, kTaken, kRefused };

// Peeks, so that what follows the header stays in the socket, for whoever reads next. `cause`: of a refusal.
Look look_at_header(Client& client, std::string_view& cause) {
  runtime::Channel& channel = client.stream().channel();
  std::array<char, codec::kMaxProxyHeader> bytes;
  ssize_t count = channel.try_peek(bytes);
  if (count == -EAGAIN) return Look::kMore;
  cause = "proxy_header_incomplete";
  if (count <= 0) return Look::kRefused;
  codec::ProxyHeader header;
  codec::HeadResult result = codec::parse_proxy_header({bytes.data(), static_cast<size_t>(count)}, header);
  if (result.incomplete()) return channel.end_of_input() ? Look::kRefused : Look::kMore;
  if (result.refused()) {
    cause = result.refusal->cause;
    return Look::kRefused;
  }
  client.take_proxy_header(header);
  // (The bytes that the header's texts point to are here still.)
  std::array<char, codec::kMaxProxyHeader> read;
  [[maybe_unused]] ssize_t taken = channel.try_read(std::span(read).first(result.consumed));
  channel.assume_readable();
  return Look::kTaken;
}

bool refuse_header(Client& client, std::string_view cause) {
  log_refusal(client, 0, cause);
  return refuse(client.listener(), Refusal::kProxyHeader);
}

}  // namespace

runtime::Task<bool> enter_with_header(Client& client) {
  const runtime::TimePoint deadline = client.now() + client.settings().proxy_header_timeout();
  net::IoResult<void> readable = co_await first_byte(client, deadline);
  while (true) {
    if (!readable && readable.error() == net::IoError::kTimedOut) {
      co_return refuse_header(client, "proxy_header_timeout");
    }
    if (!readable) co_return false;
    std::string_view cause;
    const Look look = look_at_header(client, cause);
    if (look == Look::kRefused) co_return refuse_header(client, cause);
    if (look == Look::kTaken) break;
    readable = co_await client.stream().readable(deadline);
  }
  co_return may_client_enter(client.listener(), client.ip(), client.is_counted());
}

}  // namespace fairlead::proxy
