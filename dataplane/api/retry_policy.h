// A backend's retry policy between the model and the schema. Pure; any thread.
#pragma once

#include "api/field_checker.h"
#include "config/retry_policy.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

config::RetryPolicy decode_retry(FieldChecker& checker, const v1::RetryPolicy& message);
void encode(const config::RetryPolicy& policy, v1::RetryPolicy& out);

}  // namespace fairlead::api
