#include "proxy/client_tls.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "codec/client_hello.h"
#include "config/text.h"
#include "http/text.h"
#include "proxy/exchange_log.h"
#include "tls/handshake.h"

namespace fairlead::proxy {
namespace {

// CGI knows no "-" in names, so that of "X-Subject" and "X_Subject" an application may see either.
bool is_same_to_some_server(std::string_view name, std::string_view other) {
  auto as_cgi = [](char c) { return c == '-' ? '_' : absl::ascii_tolower(static_cast<unsigned char>(c)); };
  return std::ranges::equal(name, other, {}, as_cgi, as_cgi);
}

std::string_view name_of(tls::Outcome outcome) {
  if (outcome == tls::Outcome::kGone) return "client_gone";
  return outcome == tls::Outcome::kTimedOut ? "tls_handshake_timeout" : "tls_handshake_failed";
}

// Who comes and says nothing has a line where each connection has one.
void log_failure(Client& client, bool has_said_something, std::string_view how) {
  if (has_said_something || client.settings().protocol == config::Protocol::kTcp) log_refusal(client, 0, how);
}

}  // namespace

runtime::Task<bool> begin_tls(Client& client) {
  ListenerContext& listener = client.listener();
  // Of this moment: what is changed meanwhile is for those that come later.
  base::Ref<const config::Listener> record = listener.record;
  runtime::TimePoint deadline = client.now() + record->tls->effective_handshake_timeout();
  net::IoResult<void> begun = co_await first_byte(client, deadline);
  if (!begun && begun.error() == net::IoError::kCancelled) co_return false;
  tls::Accepted accepted = co_await tls::accept(client.stream(), client.context().tls, record->tls_context, deadline);
  if (accepted.outcome != tls::Outcome::kDone) {
    ++listener.tls_failed;
    log_failure(client, begun.has_value(), name_of(accepted.outcome));
    co_return false;
  }
  ++(accepted.transport->was_resumed() ? listener.tls_resumed : listener.tls_full);
  const auto& clients = record->tls->client_certificates;
  if (clients && !clients->subject_header.empty()) accepted.transport->note_client_subject();
  accepted.transport->settle();
  co_return true;
}

namespace {

template <typename Result>
tls::Outcome outcome_of(const Result& read) {
  return !read && read.error() == net::IoError::kTimedOut ? tls::Outcome::kTimedOut : tls::Outcome::kGone;
}

codec::HelloState parse_hello(Client& client, codec::ClientHello& hello) {
  auto memory = client.context().tls.plain().first<codec::kMaxClientHello>();
  std::string_view said = client.in().empty() ? std::string_view() : client.in().unread();
  return codec::parse_client_hello(said, memory, hello);
}

config::BackendHandle backend_for(const codec::ClientHello& hello, const config::Listener& listener) {
  std::string host = absl::AsciiStrToLower(config::as_absl(hello.server_name));
  auto offers = [&](std::string_view protocol) { return hello.offers(protocol); };
  const config::TlsRouteTable::Entry* found = config::find_tls_route(listener.tls_route_table, host, offers);
  return found ? found->backend : config::BackendHandle{};
}

}  // namespace

runtime::Task<std::optional<config::BackendHandle>> find_backend_by_hello(Client& client) {
  base::Ref<const config::Listener> record = client.listener().record;
  runtime::TimePoint deadline = client.now() + record->tls->effective_handshake_timeout();
  net::IoResult<void> begun = co_await first_byte(client, deadline);
  if (!begun && begun.error() == net::IoError::kCancelled) co_return std::nullopt;
  codec::ClientHello hello;
  tls::Outcome outcome = tls::Outcome::kRefused;
  while (true) {
    codec::HelloState state = parse_hello(client, hello);
    if (state == codec::HelloState::kComplete) co_return backend_for(hello, *record);
    bool is_hopeless = state == codec::HelloState::kMalformed || client.in().room().empty();
    if (is_hopeless) break;
    if (client.in().empty()) {
      client.in().release();
      auto readable = co_await client.stream().readable(deadline);
      outcome = outcome_of(readable);
      if (!readable) break;
    }
    auto count = co_await client.stream().read_some(client.in().room(), deadline);
    outcome = outcome_of(count);
    if (!count || *count == 0) break;
    outcome = tls::Outcome::kRefused;
    client.in().commit(*count);
  }
  ++client.listener().tls_failed;
  log_failure(client, begun.has_value(), name_of(outcome));
  co_return std::nullopt;
}

bool is_misdirected(const Client& client, const http::RequestHead& head) {
  const config::Listener& listener = client.settings();
  if (!client.tls() || !listener.tls || !listener.tls->strict_sni) return false;
  // A name that ends with the root's dot is the same; in a handshake there is none (RFC 6066, section 3).
  std::string_view host = head.host_name;
  if (host.ends_with('.')) host.remove_suffix(1);
  return !http::equals_ignoring_case(host, client.tls()->server_name());
}

std::string_view client_certificate_line(const Client& client, http::HeaderList& headers, std::string& memory) {
  const auto& clients = client.settings().tls->client_certificates;
  if (!clients || clients->subject_header.empty()) return {};
  for (http::Header& header : headers) {
    if (!is_same_to_some_server(header.name, clients->subject_header)) continue;
    header.hop_by_hop = true;
    header.copyable = false;
  }
  if (!client.tls() || client.tls()->client_subject().empty()) return {};
  memory = clients->subject_header;
  memory += ": ";
  // Escaped by RFC 2253 as far as text goes; a header's value has no control characters at all.
  for (char c : client.tls()->client_subject()) memory += static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
  memory += "\r\n";
  return memory;
}

}  // namespace fairlead::proxy
