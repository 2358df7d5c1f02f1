#include "proxy/retry.h"

#include <algorithm>

#include "runtime/sleep.h"

namespace fairlead::proxy {
namespace {

using runtime::Duration;
using runtime::Task;
using runtime::TimePoint;

// How soon somebody who waits for the next try is seen to have left.
constexpr Duration kLookAtClient = std::chrono::milliseconds(50);

config::RetryCondition condition_of(Retry retry) {
  switch (retry) {
    case Retry::kRefused:
      return config::RetryCondition::kRefused;
    case Retry::kReset:
      return config::RetryCondition::kReset;
    case Retry::kEmptyResponse:
      return config::RetryCondition::kEmptyResponse;
    case Retry::kTimeout:
      return config::RetryCondition::kTimeout;
    case Retry::kBadResponse:
      return config::RetryCondition::kBadResponse;
    default:
      return config::RetryCondition::kConnectFailure;
  }
}

upstream::Outcome outcome_of(const ExchangeState& x, const Fault& fault) {
  if (&fault == &faults::kUnwelcomeStatus) return upstream::outcome_of_status(x.context.response.status);
  return is_of_connection(fault) ? upstream::Outcome::kConnectionError : upstream::Outcome::kGatewayError;
}

// Half to all of `whole`, so that those that failed together do not come back together.
Duration jittered(Duration whole, base::Random& random) {
  return whole - Duration(static_cast<int64_t>(random.below(static_cast<uint64_t>(whole.count()) / 2 + 1)));
}

}  // namespace

const Fault& connect_fault(const upstream::Lease& lease, net::IoError error) {
  if (error == net::IoError::kTimedOut) return faults::kConnectTimeout;
  if (lease.was_cut_off()) return faults::kCutOffConnecting;
  if (error == net::IoError::kOverLimit) return faults::kTooManyConnections;
  if (error == net::IoError::kHandshake) return faults::kHandshakeFailed;
  return error == net::IoError::kRefused ? faults::kConnectRefused : faults::kConnectFailed;
}

void count_fault(ExchangeState& x, upstream::Lease& lease, const Fault& fault) {
  ++lease.server().counters().failed[static_cast<int>(fault.failure)];
  // That a server closes what was idle is no failure of its; nor is a drain, nor what limits forbid.
  bool is_its_own = fault.failure != observe::Failure::kClient && fault.failure != observe::Failure::kFull &&
                    &fault != &faults::kClosedWhileReused;
  if (!is_its_own || lease.was_cut_off()) return;
  lease.failed();
  // Where nothing could be sent the connection may have been idle for too long.
  if (&fault != &faults::kNothingSent) lease.server().note(outcome_of(x, fault));
}

bool policy_allows(const config::RetryPolicy& policy, Retry retry, http::Method method) {
  bool may_do_twice = http::is_idempotent(method) || policy.non_idempotent;
  switch (retry) {
    case Retry::kNever:
      return false;
    case Retry::kSafe:
      return true;
    case Retry::kIfIdempotent:
      return http::is_idempotent(method);
    case Retry::kConnectFailure:
    case Retry::kRefused:
      return policy.retries_on(condition_of(retry));
    case Retry::kReset:
    case Retry::kEmptyResponse:
    case Retry::kTimeout:
    case Retry::kBadResponse:
      return may_do_twice && policy.retries_on(condition_of(retry));
    case Retry::kStatus:
      return may_do_twice;
  }
  return false;
}

bool may_retry(ExchangeState& x, const Fault& fault) {
  const config::RetryPolicy& policy = x.settings().retry;
  if (!x.is_kept()) return false;
  if (x.tries > policy.effective_attempts() || x.tries >= x.tried.size()) return false;
  if (!policy_allows(policy, fault.retry, x.method)) return false;
  if (x.retry || x.backend->may_begin_retry()) return true;
  ++x.backend->counters().retries_refused;
  return false;
}

FaultOrNull unwelcome_status(ExchangeState& x) {
  if (!x.settings().retry.retries_on(x.context.response.status)) [[likely]]
    return nullptr;
  if (!may_retry(x, faults::kUnwelcomeStatus)) return nullptr;
  x.lease->answered(&x.context.response);
  return &faults::kUnwelcomeStatus;
}

void begin_retry(ExchangeState& x) {
  x.lease.reset();
  x.upload_begun = false;
  x.upload_end.reset();
  x.reply.clear();
  x.answer_begun = false;
  x.retry.emplace(*x.backend);
  x.log.retried();
}

Task<FaultOrNull> back_off(config::BackOff policy, uint32_t tries, Context& context,
                           absl::FunctionRef<bool()> is_gone) {
  Duration pause = policy.effective_base();
  for (uint32_t i = 1; i < tries && pause < policy.effective_max(); ++i) pause *= 2;
  const TimePoint end = context.loop.now() + jittered(std::min(pause, policy.effective_max()), context.random);
  while (context.loop.now() < end) {
    co_await runtime::Sleep(context.loop, std::min(end, context.loop.now() + kLookAtClient));
    if (is_gone()) co_return &faults::kClientGone;
  }
  co_return nullptr;
}

}  // namespace fairlead::proxy
