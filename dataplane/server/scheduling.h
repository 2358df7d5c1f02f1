// Who goes first where processors are short: traffic.
//
// A worker wakes for a few microseconds of work and must not wait until somebody else's turn is over, so it asks for
// short turns: the kernel (Linux 6.12 and later) lets who has a shorter turn in when it wakes. All other threads but
// the access log's ask for long ones, wake without interrupting anybody (SCHED_BATCH), and weigh a tenth of a worker: a
// resync of a hundred thousand servers takes what the workers leave, and still gets its tenth of a processor where
// these leave nothing. What a kernel does not know or allow is left as it is.
//
// Short turns do not help a worker that has just had one: it waits until the kernel's next tick for who is owed more.
// In the real-time class it does not.
#pragma once

#include "absl/status/status.h"

namespace fairlead::server {

enum class WorkerClass { kFair, kRealTime };

// For a worker, on its own thread. Where it may not enter the real-time class after all, it logs that and takes short
// turns.
void enter(WorkerClass worker_class);
// Whether this thread may enter it, which stays where it is; the error says what is missing. Before other threads
// begin.
absl::Status may_enter(WorkerClass worker_class);
// For the calling thread, and those that it starts from now on.
void give_way_to_workers();

}  // namespace fairlead::server
