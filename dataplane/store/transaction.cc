#include "store/transaction.h"

#include "base/give_way.h"
#include "config/text.h"

namespace fairlead::store {
namespace {

using config::concat;

api::Failure transaction_failure(uint64_t id, std::string field, std::string problem,
                                 v1::Reason reason = v1::REASON_INVALID) {
  return {reason, concat("transaction ", id), std::move(field), std::move(problem)};
}

v1::Outcome encode(Outcome outcome) {
  switch (outcome) {
    case Outcome::kApplied:
      return v1::OUTCOME_APPLIED;
    case Outcome::kUnchanged:
      return v1::OUTCOME_UNCHANGED;
    case Outcome::kRefused:
      return v1::OUTCOME_REFUSED;
    case Outcome::kPartial:
      return v1::OUTCOME_PARTIAL;
  }
  return v1::OUTCOME_UNSPECIFIED;
}

// What is wrong with it as a whole.
std::optional<api::Failure> check_envelope(const v1::Transaction& message, const Limits& limits) {
  if (static_cast<uint32_t>(message.operations_size()) > limits.operations_per_transaction) {
    return transaction_failure(message.id(), "operations",
                               concat("has ", message.operations_size(), " operations, at most ",
                                      limits.operations_per_transaction, " are allowed"),
                               v1::REASON_LIMIT_EXCEEDED);
  }
  if (auto failure = check_id(message.id(), concat("transaction ", message.id()))) return failure;
  if (!v1::Atomicity_IsValid(message.atomicity())) {
    return transaction_failure(
        message.id(), "atomicity",
        concat(static_cast<int>(message.atomicity()), " is not known; it is one of ALL_OR_NOTHING, EACH"));
  }
  return std::nullopt;
}

}  // namespace

std::optional<api::Failure> check_id(uint64_t id, std::string title) {
  constexpr uint64_t kIdMax = std::numeric_limits<int64_t>::max();
  if (id <= kIdMax) return std::nullopt;
  return api::Failure{v1::REASON_INVALID, std::move(title), "id",
                      concat(id, " is out of range, at most ", kIdMax, " is allowed")};
}

Transaction make_transaction(const v1::Transaction& message, const Limits& limits,
                             std::shared_ptr<const Origin> origin) {
  Transaction transaction;
  transaction.id = message.id();
  transaction.origin = std::move(origin);
  transaction.validate_only = message.validate_only();
  transaction.operation_count = static_cast<uint32_t>(message.operations_size());
  if (message.has_expected_version()) transaction.expected_version = message.expected_version();
  if (std::optional<api::Failure> failure = check_envelope(message, limits)) {
    transaction.malformed.push_back({std::nullopt, *std::move(failure)});
    for (const v1::Operation& operation : message.operations()) {
      api::append_names(operation, transaction.malformed_names);
    }
    return transaction;
  }
  transaction.each = message.atomicity() == v1::ATOMICITY_EACH;
  base::GiveWay give_way;
  for (int i = 0; i < message.operations_size(); ++i) {
    give_way.step();
    auto index = static_cast<uint32_t>(i);
    size_t before = transaction.operations.size();
    std::optional<api::Failure> failure = api::decode_operation(message.operations(i), index, transaction.operations);
    if (!failure) continue;
    transaction.operations.erase(transaction.operations.begin() + static_cast<ptrdiff_t>(before),
                                 transaction.operations.end());
    transaction.malformed.push_back({index, *std::move(failure)});
    api::append_names(message.operations(i), transaction.malformed_names);
  }
  return transaction;
}

void Result::add_failure(IndexedFailure failure) {
  ++failures_total;
  if (failures.size() < kFailuresMax) failures.push_back(std::move(failure));
}

Result refused(uint64_t id, config::Version version, api::Failure failure) {
  Result result{.id = id, .outcome = Outcome::kRefused, .version = version};
  result.add_failure({std::nullopt, std::move(failure)});
  return result;
}

void encode(const Result& result, v1::TransactionResult& out) {
  out.set_id(result.id);
  out.set_outcome(encode(result.outcome));
  out.set_version(result.version);
  out.set_failures_total(result.failures_total);
  for (const IndexedFailure& entry : result.failures) {
    v1::OperationFailure& failure = *out.add_failures();
    if (entry.index) failure.set_index(*entry.index);
    failure.set_resource(entry.failure.resource);
    failure.set_reason(entry.failure.reason);
    failure.set_field(entry.failure.field);
    failure.set_message(entry.failure.text());
  }
}

}  // namespace fairlead::store
