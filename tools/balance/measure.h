// What a pick costs a worker, and a change the store: processor time of one thread.
#pragma once

#include "balance/backend.h"

namespace fairlead::balance {

// Nanoseconds; the medians of batches.
struct PickTime {
  double pick = 0;
  // What an algorithm does for the next pick when the request of this one is on its way (Balancer::look_around()).
  double look = 0;
};
PickTime pick_ns(const Backend& backend);
// Microseconds until one server was added or removed and that is published; the median. The backend ends as it was.
double change_us(Backend& backend);

}  // namespace fairlead::balance
