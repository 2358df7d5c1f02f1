// How a data plane spells a resource. Pure.
#pragma once

#include "fairlead/v1/management.pb.h"

namespace fairlead::ctl {

// As a data plane keeps and exports it: "App.Internal.:80" is "app.internal:80", and messages that say nothing are not
// there. What it would refuse stays as it is written.
v1::Resource kept_form(const v1::Resource& resource);

}  // namespace fairlead::ctl
