// `fairleadctl top`.
#pragma once

#include "ctl/command.h"

namespace fairlead::ctl {

Result<void> run_top(Context& context);

}  // namespace fairlead::ctl
