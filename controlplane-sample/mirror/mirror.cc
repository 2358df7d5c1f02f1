#include "mirror/mirror.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::mirror {
namespace {

namespace api = fairlead::v1;

// Of names in a report.
constexpr std::size_t kNamesMost = 10;

desired::BatchLimits batch_limits(const api::Limits& limits) {
  desired::BatchLimits batch;
  for (const std::uint32_t operations : {limits.operations_per_transaction(), limits.unanswered_operations()}) {
    if (operations > 0) batch.operations = std::min<std::size_t>(batch.operations, operations);
  }
  // Half: the rest of the message, and what counting each operation does not see.
  if (limits.message_bytes() > 0) batch.bytes = std::min<std::size_t>(batch.bytes, limits.message_bytes() / 2);
  return batch;
}

bool holds(const api::TransactionResult& result) {
  return result.outcome() == api::OUTCOME_APPLIED || result.outcome() == api::OUTCOME_UNCHANGED;
}

session::ElectionId election_id(const api::ElectionId& id) { return {.high = id.high(), .low = id.low()}; }

}  // namespace

Mirror::Mirror(MirrorOptions options, std::shared_ptr<const desired::Configuration> want)
    : options_(options), want_(std::move(want)) {}

void Mirror::want(absl::Time now, std::shared_ptr<const desired::Configuration> want) {
  want_ = std::move(want);
  // In all other states the end of what is under way leads to it.
  if (state_ != State::kEqual && state_ != State::kWaiting) return;
  attempts_ = 0;
  push(now);
}

void Mirror::opened(absl::Time now, const api::Opened& opened) {
  version_ = opened.version();
  limits_ = batch_limits(opened.limits());
  attempts_ = 0;
  retrying_ = false;
  const bool stood_by = state_ == State::kStandby;
  if (!opened.primary()) return stand_by(session::to_string(election_id(opened.highest_election_id())));
  if (stood_by) tell("primary");
  if (held_ != nullptr && held_->digest() != opened.digest()) held_.reset();
  if (want_->digest() == opened.digest()) held_ = want_;
  push(now);
}

void Mirror::lost(const std::string& why) {
  // One that stands by is told so again when it is back.
  if (state_ != State::kStandby) state_ = State::kLost;
  problem_ = why;
  tell("session_lost", why);
}

void Mirror::tick(absl::Time now) {
  if (now < retry_at()) return;
  state_ = State::kLooking;
  retrying_ = true;
  commands_.emplace_back(Ask{.with_export = true});
}

void Mirror::push(absl::Time now) {
  pushed_ = want_;
  failure_.clear();
  failures_ = 0;
  if (held_ == want_) return equal(now);
  state_ = State::kPushing;
  resync_open_ = false;
  problem_ = "not equal yet";
  if (held_ == nullptr) return resync();
  push_difference(now);
}

void Mirror::push_difference(absl::Time now) {
  const auto too_much = desired::removes_too_much(*held_, *want_, options_.max_removal_percent);
  if (too_much.has_value()) return fail(now, "refused", absl::StrCat("the file ", *too_much));
  const std::uint64_t before = last_id_;
  for (api::Transaction& transaction : desired::difference(*held_, *want_, limits_)) send(std::move(transaction));
  // (Another text may mean the same.)
  if (last_id_ == before) {
    held_ = want_;
    return equal(now);
  }
}

void Mirror::resync() {
  resync_open_ = true;
  end_resync_id_ = 0;
  cancelled_ = false;
  Send begin;
  begin.request.mutable_begin_resync()->set_id(++last_id_);
  commands_.emplace_back(std::move(begin));
  const desired::Configuration nothing;
  for (api::Transaction& transaction : desired::difference(nothing, *want_, limits_)) send(std::move(transaction));
}

bool Mirror::end_resync(const api::TransactionResult& result) {
  if (!resync_open_) return false;
  const bool ended = end_resync_id_ == result.id() && (holds(result) || cancelled_);
  if (ended) {
    resync_open_ = false;
    return false;
  }
  Send end;
  end_resync_id_ = ++last_id_;
  cancelled_ = failures_ > 0;
  end.request.mutable_end_resync()->set_id(end_resync_id_);
  end.request.mutable_end_resync()->set_max_removal_percent(options_.max_removal_percent);
  end.request.mutable_end_resync()->set_cancel(cancelled_);
  commands_.emplace_back(std::move(end));
  return true;
}

void Mirror::send(api::Transaction transaction) {
  transaction.set_id(++last_id_);
  Send send;
  *send.request.mutable_transaction() = std::move(transaction);
  commands_.emplace_back(std::move(send));
}

void Mirror::heard(absl::Time now, const api::TransactionResult& result) {
  if (state_ != State::kPushing) return;
  version_ = std::max(version_, result.version());
  if (!holds(result)) note_failure(result);
  // (It has become one that stands by.)
  if (state_ != State::kPushing) return;
  if (result.id() == last_id_ && !end_resync(result)) pushed(now);
}

void Mirror::note_failure(const api::TransactionResult& result) {
  const api::OperationFailure failure = result.failures().empty() ? api::OperationFailure() : result.failures(0);
  if (failure.reason() == api::REASON_NOT_PRIMARY) return stand_by(failure.message());
  failures_ += std::max<std::size_t>(1, result.failures_total());
  if (failure_.empty()) {
    // Most messages begin with the resource.
    const bool names_it = absl::StartsWith(failure.message(), failure.resource());
    const std::string separator = failure.message().empty() ? "" : ": ";
    failure_ = names_it ? failure.message() : absl::StrCat(failure.resource(), separator, failure.message());
    if (failure_.empty()) failure_ = api::Reason_Name(failure.reason());
  }
}

void Mirror::pushed(absl::Time now) {
  if (failures_ > 0) {
    held_.reset();
    const std::string more = failures_ > 1 ? absl::StrCat(" (and ", failures_ - 1, " more)") : "";
    return fail(now, "refused", failure_ + more);
  }
  state_ = State::kProving;
  commands_.emplace_back(Ask{});
}

void Mirror::heard(absl::Time now, const Observed& observed) {
  const bool known = state_ != State::kLost && state_ != State::kStandby;
  if (known && observed.highest_election_id > options_.election_id) {
    return stand_by(session::to_string(observed.highest_election_id));
  }
  // From before what was answered last.
  if (observed.version < version_) return;
  switch (state_) {
    case State::kLost:
    case State::kStandby:
    case State::kPushing:
    case State::kWaiting:
      return;
    case State::kProving:
    case State::kEqual:
      return prove(now, observed);
    case State::kLooking:
      return look(now, observed);
  }
}

void Mirror::prove(absl::Time now, const Observed& observed) {
  version_ = observed.version;
  if (observed.digest == pushed_->digest()) {
    held_ = pushed_;
    if (state_ == State::kProving) equal(now);
    return;
  }
  state_ = State::kLooking;
  commands_.emplace_back(Ask{.with_export = true});
}

void Mirror::look(absl::Time now, const Observed& observed) {
  // One that was under way when this was asked for.
  if (observed.found == nullptr) return;
  version_ = observed.version;
  held_.reset();
  if (std::exchange(retrying_, false)) {
    if (observed.found->digest() == observed.digest) held_ = observed.found;
    return push(now);
  }
  std::string difference = desired::describe_difference(*observed.found, *pushed_, kNamesMost);
  if (difference.empty()) difference = "nothing any more";
  if (attempts_ > 0) return fail(now, "differs", difference);
  ++attempts_;
  tell("differs", difference);
  push(now);
  problem_ = difference;
}

void Mirror::equal(absl::Time now) {
  attempts_ = 0;
  state_ = State::kEqual;
  problem_.clear();
  tell("in_sync");
  if (want_ != held_) push(now);
}

void Mirror::stand_by(const std::string& primary) {
  problem_ = absl::StrCat("stands by: ", primary, " is primary");
  if (state_ == State::kStandby) return;
  state_ = State::kStandby;
  held_.reset();
  tell("standby", problem_);
}

void Mirror::fail(absl::Time now, const std::string& event, std::string why) {
  state_ = State::kWaiting;
  const absl::Duration wait = options_.retry_first * (std::int64_t{1} << std::min(attempts_, 20));
  retry_at_ = now + std::min(wait, options_.retry_most);
  ++attempts_;
  problem_ = why;
  tell(event, std::move(why));
  if (want_ != pushed_) push(now);
}

void Mirror::tell(std::string event, std::string why) {
  const bool proven = state_ == State::kEqual;
  commands_.emplace_back(Told{
      .event = std::move(event), .why = std::move(why), .digest = proven ? held_->digest() : "", .version = version_});
}

std::vector<Command> Mirror::take_commands() { return std::exchange(commands_, {}); }

Standing Mirror::standing() const {
  switch (state_) {
    case State::kLost:
      return Standing::kLost;
    case State::kStandby:
      return Standing::kStandby;
    case State::kWaiting:
      return Standing::kFailed;
    case State::kEqual:
      return Standing::kInSync;
    case State::kPushing:
    case State::kProving:
    case State::kLooking:
      break;
  }
  return Standing::kWorking;
}

}  // namespace fairlead::mirror
