// A listener's TLS between the model and the schema. Pure; any thread.
#pragma once

#include <optional>

#include "api/field_checker.h"
#include "config/listener_tls.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

std::optional<config::ListenerTls> decode_tls(FieldChecker& checker, const v1::Listener& listener);
void encode(const config::ListenerTls& tls, v1::ListenerTls& out);

}  // namespace fairlead::api
