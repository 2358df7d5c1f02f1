// Which names of certificates have which role: ManagementTls.roles. Filled at the start, then read by any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "fairlead/v1/resources.pb.h"
#include "tls/client_names.h"

namespace fairlead::management {

class RoleList {
 public:
  static constexpr size_t kNameBytesMax = 1024;

  // What is wrong with a name of this list, in words; it is not added then. A role is one that there is.
  std::optional<std::string> add(const std::string& name, v1::Role role);

  struct Found {
    // The one that decided, or else the first that there is; may be empty.
    std::string name;
    // UNSPECIFIED: none.
    v1::Role role = v1::ROLE_UNSPECIFIED;
  };
  // The first of the URIs, then of the hosts, then the common name that has a role.
  Found find(const tls::ClientNames& names) const;

 private:
  // UNSPECIFIED where it is not there.
  v1::Role exact(const std::string& name) const;
  v1::Role host(std::string_view name) const;

  absl::flat_hash_map<std::string, v1::Role> exact_;
  // In lower case.
  absl::flat_hash_map<std::string, v1::Role> hosts_;
  // By what follows "*.", in lower case.
  absl::flat_hash_map<std::string, v1::Role> wildcards_;
};

}  // namespace fairlead::management
