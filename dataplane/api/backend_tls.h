// A backend's TLS between the model and the schema. Pure; any thread.
#pragma once

#include <optional>

#include "api/field_checker.h"
#include "config/backend_tls.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

std::optional<config::BackendTls> decode_tls(FieldChecker& checker, const v1::Backend& backend);
void encode(const config::BackendTls& tls, v1::BackendTls& out);

}  // namespace fairlead::api
