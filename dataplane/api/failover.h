// A backend's failover and slow start, and a server's place in them, between the model and the schema. Pure; any
// thread.
#pragma once

#include "api/field_checker.h"
#include "config/model.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

config::Failover decode_failover(FieldChecker& checker, const v1::Failover& message);
void encode(const config::Failover& failover, v1::Failover& out);

// `message`: where it is set.
config::SlowStart decode_slow_start(FieldChecker& checker, const v1::Backend& message);
void encode(const config::SlowStart& slow_start, v1::SlowStart& out);

void decode_rank(FieldChecker& checker, const v1::Server& message, config::Server& record);

}  // namespace fairlead::api
