// What a data plane is started with: the part of the configuration file that is not resources.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/endpoint.h"
#include "fairlead/v1/resources.pb.h"
#include "journal/journal.h"
#include "management/credentials.h"
#include "names/settings.h"
#include "runtime/time.h"
#include "server/identity.h"
#include "server/limits.h"
#include "store/store.h"

namespace fairlead::server {

struct Settings {
  int workers = 1;
  bool real_time_workers = false;
  std::vector<std::string> management_listen;
  bool management_insecure = false;
  // Unset: TCP has no TLS.
  std::optional<management::TlsSettings> management_tls;
  // Unset: no metrics.
  std::optional<config::Endpoint> observation;
  // Empty: no access log.
  std::string access_log;
  // Empty: nowhere.
  std::string zone;
  // Empty: nothing is kept.
  std::string state_directory;
  journal::HistoryLimits history;
  // Empty: none, and then no certificates are taken where there is a state directory.
  std::string certificate_key_file;
  runtime::Duration shutdown_timeout = std::chrono::seconds(30);
  names::Settings resolver;
  ProcessLimits limits;
  // Unset: it stays who it is.
  std::optional<Identity> identity;
};

struct ConfigurationFile {
  // Empty: there is no file.
  std::string path;
  std::string text;
  Settings settings;
  v1::Resources resources;
};

// What holds without a file: one worker for each CPU, the default management socket, no resources.
ConfigurationFile default_configuration();

// Reads a file, and its settings. The error names file, line and field.
absl::StatusOr<ConfigurationFile> read_configuration_file(const std::string& path);

// Applies the file's resources in one transaction and waits for the answer. The error names file, line, resource and
// field; nothing was applied then.
absl::Status load_resources(const ConfigurationFile& file, store::Store& store);

// Reads the files that the management API needs for TLS; null where it has none. The error names file, line and field.
absl::StatusOr<std::shared_ptr<management::Credentials>> load_credentials(const ConfigurationFile& file);

// What load_resources() would say of a data plane that has nothing yet, without opening a socket.
absl::Status check_resources(const ConfigurationFile& file);

}  // namespace fairlead::server
