// Which server a request that is only thought of would go to, and why. On the worker's thread; changes nothing.
#pragma once

#include "observe/explanation.h"
#include "proxy/context.h"

namespace fairlead::proxy {

observe::Explanation explain(Context& context, const observe::Question& question);

}  // namespace fairlead::proxy
