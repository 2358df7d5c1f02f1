// How names are resolved, from the configuration file.
#pragma once

#include "api/field_checker.h"
#include "fairlead/v1/resources.pb.h"
#include "names/settings.h"

namespace fairlead::server {

// Fields are named "resolver.timeout". What is wrong is the checker's to tell.
names::Settings decode_resolver(api::FieldChecker& checker, const v1::Resolver& message);

}  // namespace fairlead::server
