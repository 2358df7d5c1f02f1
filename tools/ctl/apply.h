// `fairleadctl apply`.
#pragma once

#include "ctl/command.h"

namespace fairlead::ctl {

Result<void> run_apply(Context& context);

}  // namespace fairlead::ctl
