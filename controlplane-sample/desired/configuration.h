// A whole configuration as a control plane wants it or finds it: every resource by its name, in normal form, with its
// hash. Immutable once made; shared between those that compare it.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "desired/digest.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::desired {

// In the numbers of the schema.
enum class Kind { kListener = 1, kBackend = 2, kServer = 3, kCertificate = 4 };

struct Key {
  Kind kind = Kind::kServer;
  // Of a server: its backend.
  std::string backend;
  std::string name;

  friend auto operator<=>(const Key&, const Key&) = default;
};

// "server app/s1".
std::string to_string(const Key& key);

struct Entry {
  fairlead::v1::Resource resource;
  Digest::Hash hash{};
};

class Configuration {
 public:
  // Empty.
  Configuration() = default;

  // Refuses, in words that begin with the place in `resources` ("servers[3].name: ..."), resources without a name or
  // with one that is given twice, and servers of a backend that is not there.
  static absl::StatusOr<std::shared_ptr<const Configuration>> make(fairlead::v1::Resources resources);

  const std::map<Key, Entry>& entries() const { return entries_; }
  // As in GetInfoResponse.
  const std::string& digest() const { return digest_; }

 private:
  absl::Status add_listener(fairlead::v1::Listener listener, const std::string& place);
  absl::Status add_backend(fairlead::v1::Backend backend, const std::string& place);
  absl::Status add_certificate(fairlead::v1::Certificate certificate, const std::string& place);
  absl::Status add_server(fairlead::v1::Server server, const std::string& place);
  absl::Status add(Key key, fairlead::v1::Resource resource, const std::string& place);

  std::map<Key, Entry> entries_;
  std::string digest_ = std::string(32, '\0');
};

}  // namespace fairlead::desired
