// What a listener asks of clients that speak TLS.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/duration.h"
#include "config/tls_routes.h"

namespace fairlead::config {

enum class TlsVersion : uint8_t { kTls12, kTls13 };

struct ClientCertificates {
  bool required = false;
  // PEM.
  std::string ca;
  // Empty: servers are not told.
  std::string subject_header;

  bool operator==(const ClientCertificates&) const = default;
};

struct ListenerTls {
  // Names; the first is for clients that name no host.
  std::vector<std::string> certificates;
  std::optional<TlsVersion> min_version;
  // Empty: the default.
  std::string ciphers;
  std::string cipher_suites;
  std::vector<std::string> alpn;
  std::optional<ClientCertificates> client_certificates;
  bool strict_sni = false;
  std::optional<Duration> handshake_timeout;
  std::optional<bool> session_tickets;
  // Set: of the others only `handshake_timeout` is.
  std::optional<TlsPassThrough> pass_through;

  TlsVersion effective_min_version() const { return min_version.value_or(TlsVersion::kTls12); }
  Duration effective_handshake_timeout() const { return handshake_timeout.value_or(std::chrono::seconds(10)); }
  bool effective_session_tickets() const { return session_tickets.value_or(true); }
  bool operator==(const ListenerTls&) const = default;
};

}  // namespace fairlead::config
