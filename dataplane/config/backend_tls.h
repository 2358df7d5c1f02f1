// How a backend's servers are spoken to in TLS.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/listener_tls.h"

namespace fairlead::config {

struct BackendTls {
  // PEM. Empty: the system's.
  std::string ca;
  std::optional<bool> verify;
  std::string name;
  std::string sni;
  // SHA-256 in base64.
  std::vector<std::string> pins;
  // Empty: none.
  std::string client_certificate;
  std::optional<TlsVersion> min_version;
  // Empty: the default.
  std::string ciphers;
  std::string cipher_suites;
  std::vector<std::string> alpn;
  std::optional<bool> session_reuse;

  bool effective_verify() const { return verify.value_or(true); }
  // Whom a certificate has to be for. Empty: the address.
  const std::string& effective_name() const { return name.empty() ? sni : name; }
  TlsVersion effective_min_version() const { return min_version.value_or(TlsVersion::kTls12); }
  bool effective_session_reuse() const { return session_reuse.value_or(true); }
  bool operator==(const BackendTls&) const = default;
};

}  // namespace fairlead::config
