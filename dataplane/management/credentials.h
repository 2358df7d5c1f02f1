// What TCP connections of the management API begin with: certificate, key and whom to believe, from files that are
// looked at again while it serves. Any thread.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "config/duration.h"
#include "management/counts.h"
#include "management/role_list.h"
#include "tls/server_context.h"

namespace fairlead::management {

// ManagementTls of the configuration file; checked.
struct TlsSettings {
  std::string certificate_file;
  std::string private_key_file;
  std::string client_ca_file;
  RoleList roles;
  config::Duration check_interval = std::chrono::seconds(10);
  config::Duration handshake_timeout = std::chrono::seconds(10);
};

class Credentials {
 public:
  // Reads the files. The error names field and file: "management.tls.private_key_file: /etc/key.pem: ...".
  static absl::StatusOr<std::shared_ptr<Credentials>> load(TlsSettings settings);

  const TlsSettings& settings() const { return settings_; }
  // For a handshake that begins now.
  std::shared_ptr<const tls::ServerContext> current() const;
  // When the certificate in service expires, or one that it needs.
  std::chrono::system_clock::time_point expires() const;

  // Takes what is in the files now, where that has changed and is good; what is not is logged, once. Waits for the
  // disk.
  void refresh(Counts& counts);

 private:
  // As they are in the files, or why they cannot be read.
  struct Contents {
    absl::StatusOr<std::string> certificate;
    absl::StatusOr<std::string> private_key;
    absl::StatusOr<std::string> client_ca;
    bool operator==(const Contents&) const = default;
  };
  struct Made {
    std::shared_ptr<const tls::ServerContext> context;
    std::chrono::system_clock::time_point expires;
    // For the log.
    std::string subject;
  };

  explicit Credentials(TlsSettings settings);
  Contents read() const;
  absl::StatusOr<Made> make(const Contents& contents) const;

  const TlsSettings settings_;
  std::mutex refreshing_;
  Contents seen_;  // guarded by refreshing_
  mutable std::mutex mutex_;
  Made made_;  // guarded by mutex_
};

}  // namespace fairlead::management
