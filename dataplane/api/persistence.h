// A backend's persistence, from the schema's messages to the model and back. Pure; any thread.
#pragma once

#include <optional>

#include "api/field_checker.h"
#include "config/persistence.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

// Unset where it says nothing.
std::optional<config::Persistence> decode_persistence(FieldChecker& checker, const v1::Persistence& message);
void encode(const config::Persistence& persistence, v1::Persistence& out);

}  // namespace fairlead::api
