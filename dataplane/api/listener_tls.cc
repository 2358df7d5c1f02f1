#include "api/listener_tls.h"

#include <algorithm>

#include "api/encode.h"
#include "api/tls_fields.h"
#include "config/text.h"
#include "http/header.h"
#include "tls/server_context.h"

namespace fairlead::api {
namespace {

using config::concat;

constexpr int kCertificatesMax = 1000;
constexpr DurationRange kHandshakeTimeout{std::chrono::milliseconds(100), std::chrono::hours(1)};

std::vector<std::string> decode_certificates(FieldChecker& checker, const v1::ListenerTls& message) {
  std::vector<std::string> names(message.certificates().begin(), message.certificates().end());
  if (names.empty()) checker.fail("tls.certificates", "is empty; it names at least one certificate");
  if (message.certificates_size() > kCertificatesMax) {
    checker.fail("tls.certificates",
                 concat("has ", names.size(), " names, at most ", kCertificatesMax, " are allowed"));
  }
  for (size_t i = 0; i < names.size() && checker.ok(); ++i) {
    std::string field = concat("tls.certificates[", i, "]");
    checker.check(field, config::check_name(names[i]));
    if (std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<ptrdiff_t>(i)) {
      checker.fail(field, concat(config::quoted(names[i]), " is there twice"));
    }
  }
  return names;
}

std::vector<std::string> decode_protocols(FieldChecker& checker, const v1::Listener& listener) {
  std::vector<std::string> protocols = decode_alpn(checker, listener.tls().alpn(), "tls.alpn");
  for (size_t i = 0; i < protocols.size() && checker.ok() && listener.protocol() == v1::PROTOCOL_HTTP; ++i) {
    if (protocols[i] == "http/1.1") continue;
    checker.fail(concat("tls.alpn[", i, "]"),
                 concat(config::quoted(protocols[i]), " is not what an HTTP listener speaks; it is \"http/1.1\""));
  }
  return protocols;
}

void check_subject_header(FieldChecker& checker, const v1::Listener& listener, const std::string& name) {
  constexpr std::string_view kField = "tls.client_certificates.subject_header";
  if (name.empty() || !checker.ok()) return;
  if (listener.protocol() != v1::PROTOCOL_HTTP)
    return checker.fail(kField, "is for HTTP; a TCP listener has no headers");
  checker.check(kField, config::check_header(name, "x"));
  if (checker.ok() && http::identify_header(name) != http::HeaderId::kOther) {
    checker.fail(kField, concat(config::quoted(name), " is a header that is set otherwise; take another name"));
  }
}

std::optional<config::ClientCertificates> decode_clients(FieldChecker& checker, const v1::Listener& listener) {
  if (!listener.tls().has_client_certificates()) return std::nullopt;
  const v1::ClientCertificates& message = listener.tls().client_certificates();
  config::ClientCertificates clients{
      .required = message.mode() == v1::CLIENT_CERTIFICATE_MODE_REQUIRED,
      .ca = message.ca(),
      .subject_header = message.subject_header(),
  };
  if (!clients.required && message.mode() != v1::CLIENT_CERTIFICATE_MODE_OPTIONAL) {
    checker.unknown_enum("tls.client_certificates.mode", message.mode(), "OPTIONAL, REQUIRED");
  }
  if (clients.ca.empty()) {
    checker.fail("tls.client_certificates.ca", "is not set; it says whose certificates are believed");
  }
  check_authorities(checker, "tls.client_certificates.ca", clients.ca);
  check_subject_header(checker, listener, clients.subject_header);
  return clients;
}

config::TlsRoute decode_route(FieldChecker& checker, const v1::TlsRoute& message, const std::string& field) {
  config::TlsRoute route{.hosts = {message.hosts().begin(), message.hosts().end()},
                         .alpn = decode_alpn(checker, message.alpn(), field + ".alpn"),
                         .backend = message.backend()};
  if (route.hosts.size() > config::kRouteHostsMax) {
    checker.fail(field + ".hosts", concat("has ", route.hosts.size(), " hosts, at most ", config::kRouteHostsMax));
  }
  for (size_t i = 0; i < route.hosts.size() && checker.ok(); ++i) {
    checker.check(concat(field, ".hosts[", i, "]"), config::check_host(route.hosts[i]));
  }
  checker.check(field + ".backend", config::check_name(route.backend));
  return route;
}

config::TlsPassThrough decode_pass_through(FieldChecker& checker, const v1::Listener& listener) {
  config::TlsPassThrough result;
  v1::ListenerTls others = listener.tls();
  others.clear_pass_through();
  others.clear_handshake_timeout();
  if (listener.protocol() != v1::PROTOCOL_TCP) {
    checker.fail("tls.pass_through", "is for TCP listeners; to read requests TLS has to end here");
  }
  if (others.ByteSizeLong() > 0) {
    checker.fail("tls.pass_through", "leaves TLS to servers, so only handshake_timeout goes with it");
  }
  const auto& routes = listener.tls().pass_through().routes();
  if (static_cast<size_t>(routes.size()) > config::kRoutesMax) {
    checker.fail("tls.pass_through.routes",
                 concat("has ", routes.size(), " routes, at most ", config::kRoutesMax, " are allowed"));
  }
  for (int i = 0; i < routes.size() && checker.ok(); ++i) {
    result.routes.push_back(decode_route(checker, routes[i], concat("tls.pass_through.routes[", i, "]")));
  }
  if (!checker.ok()) return result;
  if (auto conflict = config::find_tls_route_conflict(result.routes)) {
    checker.fail(concat("tls.pass_through.routes[", conflict->second, "]"),
                 concat("matches the same host and protocol as routes[", conflict->first, "]"));
  }
  return result;
}

}  // namespace

std::optional<config::ListenerTls> decode_tls(FieldChecker& checker, const v1::Listener& listener) {
  if (!listener.has_tls()) return std::nullopt;
  const v1::ListenerTls& message = listener.tls();
  config::ListenerTls tls;
  tls.handshake_timeout = checker.duration("tls.handshake_timeout", message.has_handshake_timeout(),
                                           message.handshake_timeout(), kHandshakeTimeout);
  if (message.has_pass_through()) {
    tls.pass_through = decode_pass_through(checker, listener);
    return tls;
  }
  tls.certificates = decode_certificates(checker, message);
  tls.min_version = decode_tls_version(checker, message.min_version());
  tls.ciphers = decode_tls_text(checker, "tls.ciphers", message.ciphers(), &tls::check_ciphers);
  tls.cipher_suites = decode_tls_text(checker, "tls.cipher_suites", message.cipher_suites(), &tls::check_cipher_suites);
  tls.alpn = decode_protocols(checker, listener);
  tls.client_certificates = decode_clients(checker, listener);
  tls.strict_sni = message.strict_sni();
  if (message.has_session_tickets()) tls.session_tickets = message.session_tickets();
  return tls;
}

void encode(const config::ListenerTls& tls, v1::ListenerTls& out) {
  for (const std::string& name : tls.certificates) out.add_certificates(name);
  if (tls.min_version) out.set_min_version(encode(*tls.min_version));
  out.set_ciphers(tls.ciphers);
  out.set_cipher_suites(tls.cipher_suites);
  for (const std::string& protocol : tls.alpn) out.add_alpn(protocol);
  if (tls.client_certificates) {
    const config::ClientCertificates& clients = *tls.client_certificates;
    v1::ClientCertificates& encoded = *out.mutable_client_certificates();
    encoded.set_mode(clients.required ? v1::CLIENT_CERTIFICATE_MODE_REQUIRED : v1::CLIENT_CERTIFICATE_MODE_OPTIONAL);
    encoded.set_ca(clients.ca);
    encoded.set_subject_header(clients.subject_header);
  }
  out.set_strict_sni(tls.strict_sni);
  if (tls.handshake_timeout) encode(*tls.handshake_timeout, *out.mutable_handshake_timeout());
  if (tls.session_tickets) out.set_session_tickets(*tls.session_tickets);
  if (!tls.pass_through) return;
  out.mutable_pass_through();
  for (const config::TlsRoute& route : tls.pass_through->routes) {
    v1::TlsRoute& encoded = *out.mutable_pass_through()->add_routes();
    for (const std::string& host : route.hosts) encoded.add_hosts(host);
    for (const std::string& protocol : route.alpn) encoded.add_alpn(protocol);
    encoded.set_backend(route.backend);
  }
}

}  // namespace fairlead::api
