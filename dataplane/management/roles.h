// Which role is needed for what: the one table of it, as ManagementService's comment in the schema tells it. Pure.
#pragma once

#include <string_view>

#include "fairlead/v1/management.pb.h"

namespace fairlead::management {

// What a caller needs at least to call this method of either service ("AddServer"); what it writes may need more.
// UNSPECIFIED: there is no such method, and nobody may call it.
v1::Role role_for_method(std::string_view method);

// To send this operation. One without an action is everybody's who writes: it is malformed.
v1::Role role_for_operation(const v1::Operation& operation);

// To send operations of which the greatest needs `operations`, by this right.
v1::Role role_with_fence(v1::Role operations, const v1::Fence& fence);

// Resyncs remove what is not named.
inline constexpr v1::Role kRoleForResync = v1::ROLE_EDITOR;
// Who takes part in it can become primary.
inline constexpr v1::Role kRoleForElection = v1::ROLE_OPERATOR;

}  // namespace fairlead::management
