// What a route does besides naming a backend, between the model and the schema. Pure; any thread.
#pragma once

#include <string>

#include "api/field_checker.h"
#include "config/route_actions.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

// `field`: "routes[3]". Null: nothing.
base::Ref<const config::RouteActions> decode_route_actions(FieldChecker& checker, const v1::Route& route,
                                                           const std::string& field);
void encode(const config::RouteActions& actions, v1::Route& out);

}  // namespace fairlead::api
