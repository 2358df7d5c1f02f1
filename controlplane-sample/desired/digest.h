// The digest of GetInfoResponse.digest, computed from what the schema says of it and from nothing else: what a control
// plane compares to know that a data plane has exactly what it wants.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "fairlead/v1/management.pb.h"

namespace fairlead::desired {

// A resource as a data plane keeps it: without what is output only, without messages that say nothing, a backend
// without its servers; addresses, names of hosts and certificates in the spelling that ExportConfig gives them. A value
// that is none stays as it is: the data plane will refuse it and say why. Private keys stay; they are no part of the
// hash.
void normalize(fairlead::v1::Listener& listener);
void normalize(fairlead::v1::Backend& backend);
void normalize(fairlead::v1::Server& server);
void normalize(fairlead::v1::Certificate& certificate);

class Digest {
 public:
  using Hash = std::array<std::uint64_t, 4>;

  // Of a normal resource.
  static Hash hash(const fairlead::v1::Resource& resource);

  void add(const Hash& hash) {
    for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += hash[i];
  }
  // 32 bytes.
  std::string bytes() const;

 private:
  Hash sum_{};
};

// For people: "5915a502eb7e2f80", the first 8 bytes.
std::string short_digest(const std::string& bytes);

}  // namespace fairlead::desired
