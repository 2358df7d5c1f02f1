// Whom DNS names as a backend's servers, from the schema's messages to the model and back. Pure; any thread.
#pragma once

#include <optional>

#include "api/field_checker.h"
#include "config/discovery.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

// Unset where it says nothing.
std::optional<config::Discovery> decode_discovery(FieldChecker& checker, const v1::Discovery& message);
void encode(const config::Discovery& discovery, v1::Discovery& out);

}  // namespace fairlead::api
