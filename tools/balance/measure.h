// What a pick costs a worker, and a change the store: processor time of one thread.
#pragma once

#include "balance/backend.h"

namespace fairlead::balance {

// Nanoseconds; the median of batches.
double pick_ns(const Backend& backend);
// Microseconds until one server was added or removed and that is published; the median. The backend ends as it was.
double change_us(Backend& backend);

}  // namespace fairlead::balance
