#include "store/election.h"

#include <utility>

#include "config/text.h"

namespace fairlead::store {

using config::concat;

std::string to_text(const ElectionId& id) { return id.high == 0 ? concat(id.low) : concat(id.high, ":", id.low); }

void Election::announce(uint64_t session, ElectionId id) {
  if (id < highest_) return;
  highest_ = id;
  primary_ = session;
}

std::optional<api::Failure> Election::check(const Fence& fence, uint64_t session, bool validate_only) {
  if (fence.election_id == ElectionId{}) {
    return api::Failure{v1::REASON_INVALID, "", "fence.election_id", "0 is not an election id; ids begin at 1"};
  }
  std::optional<std::string> problem;
  if (fence.kind == Fence::Kind::kSession && !validate_only) problem = check_session(fence, session);
  if (fence.kind == Fence::Kind::kCall) problem = check_call(fence, validate_only);
  if (!problem) return std::nullopt;
  return api::Failure{v1::REASON_NOT_PRIMARY, "", fence.kind == Fence::Kind::kCall ? "fence" : "", *std::move(problem)};
}

std::optional<std::string> Election::check_session(const Fence& fence, uint64_t session) const {
  std::string highest = highest_ == ElectionId{} ? "none was used yet" : concat("the highest is ", to_text(highest_));
  if (!fence.election_id) {
    return concat("this session is an observer: it was opened without an election id; ", highest);
  }
  if (*fence.election_id < highest_) {
    return concat("another control plane is primary: election id ", to_text(*fence.election_id), " is lower than ",
                  to_text(highest_), ", the highest");
  }
  if (session != primary_) {
    return concat("a newer session has election id ", to_text(*fence.election_id), ", the highest, and is primary");
  }
  return std::nullopt;
}

std::optional<std::string> Election::check_call(const Fence& fence, bool validate_only) {
  if (fence.override_primary) return std::nullopt;
  if (!fence.election_id) {
    if (highest_ == ElectionId{} || validate_only) return std::nullopt;
    return concat("control planes are elected here: give an election id of at least ", to_text(highest_),
                  ", the highest, or say override");
  }
  if (*fence.election_id < highest_) {
    return concat("election id ", to_text(*fence.election_id), " is lower than ", to_text(highest_),
                  ", the highest; another control plane is primary");
  }
  if (*fence.election_id > highest_ && !validate_only) {
    highest_ = *fence.election_id;
    primary_ = 0;
  }
  return std::nullopt;
}

}  // namespace fairlead::store
