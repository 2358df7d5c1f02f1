// A second server that gets the same request where the first is slow to answer: config::RetryPolicy::hedge_after.
//
// It runs beside the exchange, from the hedge's moment until one of the two has sent the first byte of its answer: that
// one is the exchange's try from then on, and the other is dropped at once, with its connection. A hedge is begun at
// most once for each exchange, never waits for a place, and takes from the retries' budget. See Dean and Barroso, "The
// Tail at Scale", Communications of the ACM 56(2), 2013.
#pragma once

#include "proxy/exchange_state.h"
#include "runtime/task.h"

namespace fairlead::proxy {

struct Hedge {
  Hedge(ExchangeState& x, upstream::Admission admission);

  // It has the first bytes of a response, in `reply`.
  bool has_answered() const { return is_over && !fault; }

  upstream::Lease lease;
  net::Buffer reply;
  runtime::Scope scope;
  runtime::TimePoint try_deadline;
  runtime::TimePoint sent_at;
  // Of one that is over: what kept it from an answer, which has been counted.
  FaultOrNull fault = nullptr;
  bool is_over = false;
  // The other was first.
  bool is_dropped = false;
};

// When the exchange, which waits for an answer, is to be hedged; kNever where it is not.
runtime::TimePoint hedge_time(const ExchangeState& x);

// Where a server takes it. Not to be called again for this exchange: hedge_time() says kNever from now on.
void begin_hedge(ExchangeState& x);

// The first server has begun to answer, or the exchange ends.
runtime::Task<void> drop_hedge(ExchangeState& x);

// Requires that the hedge has answered: it takes the place of the first server, which is dropped.
void take_hedge(ExchangeState& x);

// The first server has failed, and the hedge is all there is: until that has answered (null), or there is nothing left
// (why, with all that is counted of both but the fault that is returned where the lease still stands).
runtime::Task<FaultOrNull> rely_on_hedge(ExchangeState& x, const Fault& of_first);

}  // namespace fairlead::proxy
