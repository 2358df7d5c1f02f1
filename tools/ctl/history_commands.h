// Looking back: what was changed, by whom, and making it as it was.
#pragma once

#include "ctl/command.h"

namespace fairlead::ctl {

// `diff V1 [V2]`; the command `diff` has a file's side as well.
Result<void> run_version_diff(Context& context);

}  // namespace fairlead::ctl
