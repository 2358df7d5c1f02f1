// What few servers say, and its protobuf form.
#pragma once

#include "api/field_checker.h"
#include "base/ref.h"
#include "config/server_extras.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

// Null where the server says nothing of it.
base::Ref<const config::ServerExtras> decode_extras(FieldChecker& checker, const v1::Server& server);
void encode(const config::ServerExtras& extras, v1::Server& out);

}  // namespace fairlead::api
