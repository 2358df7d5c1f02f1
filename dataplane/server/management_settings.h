// Where the management API listens and who may do what there, from the configuration file.
#pragma once

#include "api/field_checker.h"
#include "fairlead/v1/resources.pb.h"
#include "server/settings.h"

namespace fairlead::server {

// Fields are named "management.tls.roles[0].name". What is wrong is the checker's to tell.
void decode_management(api::FieldChecker& checker, const v1::Management& message, Settings& settings);

// Both say where a connection would come in; one of them is in use.
bool is_same_place(const std::string& text, const config::Endpoint& endpoint);

}  // namespace fairlead::server
