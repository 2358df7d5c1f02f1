#include "api/retry_policy.h"

#include <algorithm>

#include "api/encode.h"
#include "config/text.h"

namespace fairlead::api {
namespace {

using config::concat;
using config::RetryCondition;

constexpr DurationRange kTryTime{config::kTimeoutMin, config::kTimeoutMax};
constexpr DurationRange kBackOffBase{config::Duration::zero(), config::kBackOffMax};
constexpr config::Range kStatus{100, 599};
constexpr int kStatusesMax = 64;

std::optional<RetryCondition> decode(v1::RetryCondition condition) {
  switch (condition) {
    case v1::RETRY_CONDITION_CONNECT_FAILURE:
      return RetryCondition::kConnectFailure;
    case v1::RETRY_CONDITION_REFUSED:
      return RetryCondition::kRefused;
    case v1::RETRY_CONDITION_RESET:
      return RetryCondition::kReset;
    case v1::RETRY_CONDITION_EMPTY_RESPONSE:
      return RetryCondition::kEmptyResponse;
    case v1::RETRY_CONDITION_TIMEOUT:
      return RetryCondition::kTimeout;
    case v1::RETRY_CONDITION_BAD_RESPONSE:
      return RetryCondition::kBadResponse;
    default:
      return std::nullopt;
  }
}

v1::RetryCondition encode(RetryCondition condition) {
  switch (condition) {
    case RetryCondition::kConnectFailure:
      return v1::RETRY_CONDITION_CONNECT_FAILURE;
    case RetryCondition::kRefused:
      return v1::RETRY_CONDITION_REFUSED;
    case RetryCondition::kReset:
      return v1::RETRY_CONDITION_RESET;
    case RetryCondition::kEmptyResponse:
      return v1::RETRY_CONDITION_EMPTY_RESPONSE;
    case RetryCondition::kTimeout:
      return v1::RETRY_CONDITION_TIMEOUT;
    case RetryCondition::kBadResponse:
      return v1::RETRY_CONDITION_BAD_RESPONSE;
  }
  return v1::RETRY_CONDITION_UNSPECIFIED;
}

// Appends what is not there yet; false where it is.
template <typename Value>
bool add_new(std::vector<Value>& values, Value value) {
  if (std::ranges::find(values, value) != values.end()) return false;
  values.push_back(value);
  return true;
}

std::vector<RetryCondition> decode_conditions(FieldChecker& checker, const v1::RetryPolicy& message) {
  std::vector<RetryCondition> result;
  for (int i = 0; i < message.conditions_size() && checker.ok(); ++i) {
    std::string field = concat("retry.conditions[", i, "]");
    std::optional<RetryCondition> condition = decode(message.conditions(i));
    if (!condition) {
      checker.unknown_enum(field, message.conditions(i),
                           "CONNECT_FAILURE, REFUSED, RESET, EMPTY_RESPONSE, TIMEOUT, BAD_RESPONSE");
    } else if (!add_new(result, *condition)) {
      checker.fail(field, "is there twice");
    }
  }
  return result;
}

std::vector<uint16_t> decode_statuses(FieldChecker& checker, const v1::RetryPolicy& message) {
  std::vector<uint16_t> result;
  if (message.statuses_size() > kStatusesMax) {
    checker.fail("retry.statuses",
                 concat("has ", message.statuses_size(), " statuses, at most ", kStatusesMax, " are allowed"));
  }
  for (int i = 0; i < message.statuses_size() && checker.ok(); ++i) {
    std::string field = concat("retry.statuses[", i, "]");
    std::optional<uint32_t> status = checker.number(field, true, message.statuses(i), kStatus);
    if (status && !add_new(result, static_cast<uint16_t>(*status))) checker.fail(field, "is there twice");
  }
  return result;
}

config::BackOff decode_back_off(FieldChecker& checker, const v1::BackOff& message) {
  config::BackOff result;
  result.base = checker.duration("retry.back_off.base", message.has_base(), message.base(), kBackOffBase);
  DurationRange max{result.effective_base(), config::kBackOffMax};
  result.max = checker.duration("retry.back_off.max", message.has_max(), message.max(), max);
  return result;
}

}  // namespace

config::RetryPolicy decode_retry(FieldChecker& checker, const v1::RetryPolicy& message) {
  config::RetryPolicy policy;
  policy.attempts = checker.number("retry.attempts", message.has_attempts(), message.attempts(), {0, 10});
  policy.conditions = decode_conditions(checker, message);
  policy.statuses = decode_statuses(checker, message);
  policy.non_idempotent = message.non_idempotent();
  policy.per_try_timeout =
      checker.duration("retry.per_try_timeout", message.has_per_try_timeout(), message.per_try_timeout(), kTryTime);
  policy.back_off = decode_back_off(checker, message.back_off());
  policy.budget_percent =
      checker.number("retry.budget_percent", message.has_budget_percent(), message.budget_percent(), {0, 100});
  policy.hedge_after =
      checker.duration("retry.hedge_after", message.has_hedge_after(), message.hedge_after(), kTryTime);
  return policy;
}

void encode(const config::RetryPolicy& policy, v1::RetryPolicy& out) {
  if (policy.attempts) out.set_attempts(*policy.attempts);
  for (RetryCondition condition : policy.conditions) out.add_conditions(encode(condition));
  out.mutable_statuses()->Add(policy.statuses.begin(), policy.statuses.end());
  out.set_non_idempotent(policy.non_idempotent);
  if (policy.per_try_timeout) encode(*policy.per_try_timeout, *out.mutable_per_try_timeout());
  if (policy.back_off.base) encode(*policy.back_off.base, *out.mutable_back_off()->mutable_base());
  if (policy.back_off.max) encode(*policy.back_off.max, *out.mutable_back_off()->mutable_max());
  if (policy.budget_percent) out.set_budget_percent(*policy.budget_percent);
  if (policy.hedge_after) encode(*policy.hedge_after, *out.mutable_hedge_after());
}

}  // namespace fairlead::api
