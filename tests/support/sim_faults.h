// How bad a simulated network is. The default is a perfect one: no latency, whole writes, nothing breaks.
#pragma once

#include <climits>
#include <cstddef>

#include "runtime/time.h"
#include "test_support/random.h"

namespace fairlead::test_support {

// Probabilities are between 0 and 1; sizes in bytes; each is drawn anew wherever it applies.
struct SimFaults {
  runtime::Duration latency_min{};
  runtime::Duration latency_max{};
  // A write is cut into pieces of random sizes, each with a latency of its own (order is kept).
  double split = 0;
  // A write takes only a part, as if the socket's buffer were full for a while.
  double partial_write = 0;
  // How much one direction of a connection holds, on its way and unread. Drawn for each.
  size_t capacity_min = 64 * 1024;
  size_t capacity_max = 64 * 1024;
  // A direction of a connection is a slow one: its latencies are a hundred times longer.
  double slow = 0;
  // When a piece arrives, the connection breaks in both directions instead.
  double reset = 0;
  double refuse_connect = 0;
  // A connect gets no answer, ever.
  double black_hole_connect = 0;
  // accept() fails with EMFILE; the connection stays in the queue.
  double exhausted_accept = 0;
  // connect() fails with EMFILE.
  double exhausted_connect = 0;
  // How many sockets a driver may have.
  size_t descriptors_max = INT_MAX;

  // Something between friendly and hostile in everything that an application must not notice: latencies, sizes.
  static SimFaults rough(Random& random);
};

}  // namespace fairlead::test_support
