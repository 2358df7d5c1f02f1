// `fairleadctl explain`: which server a request would go to, and why.
#pragma once

#include "ctl/command.h"

namespace fairlead::ctl {

Result<void> run_explain(Context& context);

}  // namespace fairlead::ctl
