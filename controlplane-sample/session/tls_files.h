// How a data plane is spoken to at a TCP address: with TLS, where this is set.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace fairlead::session {

// Paths of files in PEM; changed files hold for the next connection. All empty: no TLS. (Unix sockets never have it.)
struct TlsFiles {
  // Whom to believe that it is the data plane.
  std::string ca;
  // Who we are: the chain and its private key.
  std::string certificate;
  std::string key;
  // The name that the data plane's certificate has to have; empty: the host of its address.
  std::string server_name;

  bool is_set() const { return !ca.empty() || !certificate.empty() || !key.empty() || !server_name.empty(); }
};

// Names the flag that is missing.
inline absl::Status validate(const TlsFiles& files) {
  if (!files.is_set()) return absl::OkStatus();
  for (const auto& [name, path] :
       {std::pair("tls_ca", &files.ca), std::pair("tls_cert", &files.certificate), std::pair("tls_key", &files.key)}) {
    if (!path->empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": is missing; with TLS all of tls_ca, tls_cert and tls_key are needed"));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::session
