// TLS to a data plane at a TCP address: --tls-ca, --tls-cert, --tls-key, --tls-server-name.
#pragma once

#include <optional>
#include <string>

#include "ctl/result.h"

namespace fairlead::ctl {

// As given on the command line or in the environment: paths. All empty: no TLS.
struct TlsOptions {
  std::string ca;
  std::string certificate;
  std::string key;
  std::string server_name;

  bool is_set() const { return !ca.empty() || !certificate.empty() || !key.empty() || !server_name.empty(); }
};

// What is in the files, as PEM.
struct TlsFiles {
  std::string ca;
  std::string certificate;
  std::string key;
  std::string server_name;
};

// Nothing for a Unix socket, which never has TLS, and where no option is set.
Result<std::optional<TlsFiles>> read_tls_files(const TlsOptions& options, const std::string& address);

}  // namespace fairlead::ctl
