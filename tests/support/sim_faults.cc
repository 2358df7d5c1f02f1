#include "test_support/sim_faults.h"

namespace fairlead::test_support {

SimFaults SimFaults::rough(Random& random) {
  using std::chrono::microseconds;
  SimFaults faults;
  if (random.chance(0.8)) faults.latency_max = microseconds(random.between(1, 20'000));
  if (random.chance(0.7)) faults.split = 0.3 * static_cast<double>(random.between(0, 3));
  if (random.chance(0.7)) faults.partial_write = 0.2 * static_cast<double>(random.between(0, 3));
  if (random.chance(0.7)) {
    faults.capacity_min = random.between(64, 4096);
    faults.capacity_max = random.between(faults.capacity_min, 128 * 1024);
  }
  if (random.chance(0.3)) faults.slow = 0.1;
  return faults;
}

}  // namespace fairlead::test_support
