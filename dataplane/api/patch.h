// Changing some fields of a resource, by a field mask.
#pragma once

#include <optional>

#include "api/failure.h"
#include "fairlead/v1/management.pb.h"
#include "google/protobuf/message.h"

namespace fairlead::api {

// What is wrong with a patch whatever the state is: no resource or name, no path, a path that no field has, or one that
// cannot be changed (name, output only).
std::optional<Failure> check_patch(const v1::Patch& patch);

// "server web/s1" of whatever kind the resource is.
std::string title_of(const v1::Resource& resource);

// Gives the fields of `target` that the mask names the values that `source` has; unset where unset there. Both are
// messages of the same type; the mask has been checked.
void apply_mask(const google::protobuf::FieldMask& mask, const google::protobuf::Message& source,
                google::protobuf::Message& target);

}  // namespace fairlead::api
