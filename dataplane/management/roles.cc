#include "management/roles.h"

#include <algorithm>
#include <array>

namespace fairlead::management {
namespace {

struct MethodRole {
  std::string_view method;
  v1::Role role;
};

constexpr std::array kMethods = {
    MethodRole{"StreamUpdates", v1::ROLE_VIEWER},     MethodRole{"ApplyTransaction", v1::ROLE_OPERATOR},
    MethodRole{"GetTransaction", v1::ROLE_VIEWER},    MethodRole{"AddServer", v1::ROLE_EDITOR},
    MethodRole{"UpdateServer", v1::ROLE_OPERATOR},    MethodRole{"DeleteServer", v1::ROLE_EDITOR},
    MethodRole{"GetServer", v1::ROLE_VIEWER},         MethodRole{"ListServers", v1::ROLE_VIEWER},
    MethodRole{"AddBackend", v1::ROLE_EDITOR},        MethodRole{"UpdateBackend", v1::ROLE_EDITOR},
    MethodRole{"DeleteBackend", v1::ROLE_EDITOR},     MethodRole{"GetBackend", v1::ROLE_VIEWER},
    MethodRole{"ListBackends", v1::ROLE_VIEWER},      MethodRole{"AddListener", v1::ROLE_EDITOR},
    MethodRole{"UpdateListener", v1::ROLE_EDITOR},    MethodRole{"DeleteListener", v1::ROLE_EDITOR},
    MethodRole{"GetListener", v1::ROLE_VIEWER},       MethodRole{"ListListeners", v1::ROLE_VIEWER},
    MethodRole{"AddCertificate", v1::ROLE_EDITOR},    MethodRole{"UpdateCertificate", v1::ROLE_EDITOR},
    MethodRole{"DeleteCertificate", v1::ROLE_EDITOR}, MethodRole{"GetCertificate", v1::ROLE_VIEWER},
    MethodRole{"ListCertificates", v1::ROLE_VIEWER},  MethodRole{"ExportConfig", v1::ROLE_VIEWER},
    MethodRole{"GetInfo", v1::ROLE_VIEWER},           MethodRole{"ListHistory", v1::ROLE_VIEWER},
    MethodRole{"DiffVersions", v1::ROLE_VIEWER},      MethodRole{"Rollback", v1::ROLE_ADMIN},
    MethodRole{"ExplainPick", v1::ROLE_VIEWER},       MethodRole{"WatchEvents", v1::ROLE_VIEWER},
    MethodRole{"StreamStatistics", v1::ROLE_VIEWER},
};

v1::Role role_for_resource(const v1::Resource& resource) {
  switch (resource.kind_case()) {
    case v1::Resource::kListener:
    case v1::Resource::kBackend:
    case v1::Resource::kServer:
      return v1::ROLE_EDITOR;
    case v1::Resource::kCertificate:
      return resource.certificate().private_key().empty() ? v1::ROLE_EDITOR : v1::ROLE_ADMIN;
    case v1::Resource::KIND_NOT_SET:
      return v1::ROLE_OPERATOR;
  }
  // A kind without a row is nobody's.
  return v1::ROLE_UNSPECIFIED;
}

bool is_operators(std::string_view path) { return path == "weight" || path == "admin_state"; }

v1::Role role_for_patch(const v1::Patch& patch) {
  const auto& paths = patch.update_mask().paths();
  const v1::Resource& resource = patch.resource();
  if (resource.has_server() && !paths.empty() && std::ranges::all_of(paths, is_operators)) return v1::ROLE_OPERATOR;
  bool names_key = std::ranges::any_of(paths, [](std::string_view path) { return path == "private_key"; });
  if (resource.has_certificate() && names_key) return v1::ROLE_ADMIN;
  return role_for_resource(resource);
}

v1::Role role_for_deletion(const v1::Delete& deletion) {
  switch (deletion.name_case()) {
    case v1::Delete::kListener:
    case v1::Delete::kBackend:
    case v1::Delete::kServer:
    case v1::Delete::kCertificate:
      return v1::ROLE_EDITOR;
    case v1::Delete::NAME_NOT_SET:
      return v1::ROLE_OPERATOR;
  }
  return v1::ROLE_UNSPECIFIED;
}

}  // namespace

v1::Role role_for_method(std::string_view method) {
  const auto* at = std::ranges::find(kMethods, method, &MethodRole::method);
  return at == kMethods.end() ? v1::ROLE_UNSPECIFIED : at->role;
}

v1::Role role_for_operation(const v1::Operation& operation) {
  switch (operation.action_case()) {
    case v1::Operation::kUpsert:
      return role_for_resource(operation.upsert());
    case v1::Operation::kCreate:
      return role_for_resource(operation.create());
    case v1::Operation::kReplace:
      return role_for_resource(operation.replace());
    case v1::Operation::kPatch:
      return role_for_patch(operation.patch());
    case v1::Operation::kDelete:
      return role_for_deletion(operation.delete_());
    case v1::Operation::ACTION_NOT_SET:
      return v1::ROLE_OPERATOR;
  }
  return v1::ROLE_UNSPECIFIED;
}

v1::Role role_with_fence(v1::Role operations, const v1::Fence& fence) {
  if (fence.override() && operations > v1::ROLE_OPERATOR) return v1::ROLE_ADMIN;
  return std::max(operations, kRoleForElection);
}

}  // namespace fairlead::management
