// What a listener demands of those who connect, and what servers are told of them, between the model and the schema.
// Pure; any thread.
#pragma once

#include "api/field_checker.h"
#include "config/model.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

// proxy_protocol, access, max_connections_per_client, minimum_rates, tcp, and timeouts.proxy_header.
void decode_edge(FieldChecker& checker, const v1::Listener& message, config::Listener& record);
void encode_edge(const config::Listener& record, v1::Listener& out);

// send_proxy_protocol and tcp.
void decode_edge(FieldChecker& checker, const v1::Backend& message, config::Backend& record);
void encode_edge(const config::Backend& record, v1::Backend& out);

}  // namespace fairlead::api
