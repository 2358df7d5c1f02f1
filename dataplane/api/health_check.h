// Settings of checks, from the schema's messages to the model and back. Pure; any thread.
#pragma once

#include <optional>

#include "api/field_checker.h"
#include "config/health_check.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

// Of a backend; fields are named "health_check.interval". What is wrong is the checker's to tell.
std::optional<config::HealthCheck> decode_health_check(FieldChecker& checker, const v1::Backend& backend);
void encode(const config::HealthCheck& check, v1::HealthCheck& out);

std::optional<config::OnMarkedDown> decode_on_marked_down(FieldChecker& checker, v1::OnMarkedDown value);
v1::OnMarkedDown encode(config::OnMarkedDown value);
std::optional<config::OnMarkedUp> decode_on_marked_up(FieldChecker& checker, v1::OnMarkedUp value);
v1::OnMarkedUp encode(config::OnMarkedUp value);

// What a server says of its checks (`track` is held against its name).
void decode_server_check(FieldChecker& checker, const v1::Server& server, config::ServerExtras& out);
void encode(const config::ServerExtras& extras, v1::ServerHealthCheck& out);

}  // namespace fairlead::api
