// Whether, and when, another server is tried: the backend's policy (config/retry_policy.h) applied to a fault.
#pragma once

#include "absl/functional/function_ref.h"
#include "proxy/exchange_state.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// What it comes to where a server took no connection.
const Fault& connect_fault(const upstream::Lease& lease, net::IoError error);

// What the end of a try says of its server.
void count_fault(ExchangeState& x, upstream::Lease& lease, const Fault& fault);

// Whether a policy allows another try after such a fault, for a request that can be sent again.
bool policy_allows(const config::RetryPolicy& policy, Retry retry, http::Method method);

// Whether this exchange gets another try after `fault`. The count of those that get none for their backend's budget is
// kept here.
bool may_retry(ExchangeState& x, const Fault& fault);

// A final response that the policy would rather not pass on, as a fault, where another try can be had. The lease has
// been told that it answered.
FaultOrNull unwelcome_status(ExchangeState& x);

// Lets go of what the failed try had.
void begin_retry(ExchangeState& x);

// The pause before another try, when `tries` were made. kClientGone where `is_gone()` says meanwhile that nobody waits
// for it any more, else null.
runtime::Task<FaultOrNull> back_off(config::BackOff policy, uint32_t tries, Context& context,
                                    absl::FunctionRef<bool()> is_gone);

}  // namespace fairlead::proxy
