// Resyncs, in turn with transactions.
#include <utility>

#include "config/text.h"
#include "store/applier.h"
#include "store/writer.h"

namespace fairlead::store {
namespace {

using config::concat;

std::string title_of(const BeginResync& request) { return concat("begin_resync ", request.id); }
std::string title_of(const EndResync& request) { return concat("end_resync ", request.id); }

template <typename Request>
api::Failure failure_of(const Request& request, v1::Reason reason, std::string field, std::string problem) {
  return {reason, title_of(request), std::move(field), std::move(problem)};
}

}  // namespace

std::optional<api::Failure> Writer::check_fence(const Fence& fence, const Origin& origin, std::string title) {
  std::optional<api::Failure> unfit = election_.check(fence, origin.session, false);
  if (!unfit) unfit = durability_.refusal();
  if (unfit) unfit->resource = std::move(title);
  return unfit;
}

void Writer::begin_resync(const BeginResync& request, const ApplyOptions& options, Done done) {
  answer(begin_resync(request), options, std::move(done));
}

void Writer::end_resync(const EndResync& request, const ApplyOptions& options, Done done) {
  answer(end_resync(request), options, std::move(done));
}

Result Writer::begin_resync(const BeginResync& request) {
  auto refuse = [&](api::Failure failure) { return refused(request.id, model_.version(), std::move(failure)); };
  if (auto unfit = check_fence(request.fence, *request.origin, title_of(request))) return refuse(*std::move(unfit));
  if (has_resync(*request.origin)) {
    return refuse(failure_of(request, v1::REASON_NO_RESYNC, "", "comes within a resync; end or cancel that one first"));
  }
  if (!request.backend.empty() && !model_.find_backend(request.backend)) {
    return refuse(failure_of(request, v1::REASON_NOT_FOUND, "backend",
                             concat(api::backend_title(request.backend), " does not exist")));
  }
  resync_.emplace(model_, request.origin->session, request.backend);
  return {.id = request.id, .version = model_.version()};
}

Result Writer::end_resync(const EndResync& request) {
  auto refuse = [&](api::Failure failure) { return refused(request.id, model_.version(), std::move(failure)); };
  if (auto unfit = check_fence(request.fence, *request.origin, title_of(request))) return refuse(*std::move(unfit));
  if (!has_resync(*request.origin)) {
    return refuse(failure_of(request, v1::REASON_NO_RESYNC, "", "there is no resync to end; begin one first"));
  }
  if (request.max_removal_percent > 100) {
    return refuse(failure_of(request, v1::REASON_INVALID, "max_removal_percent",
                             concat(request.max_removal_percent, " is out of range [0, 100]")));
  }
  Result result{.id = request.id, .version = model_.version()};
  if (!request.cancel) result = remove_left_over(request);
  if (!result.refused()) {
    ended_resync_.emplace(*std::move(resync_));
    resync_.reset();
  }
  return result;
}

Result Writer::remove_left_over(const EndResync& request) {
  Transaction transaction{.id = request.id, .origin = request.origin, .operations = resync_->removals()};
  if (std::vector<api::Failure> failures = resync_->check_guard(transaction.operations, request); !failures.empty()) {
    Result result{.id = request.id, .outcome = Outcome::kRefused, .version = model_.version()};
    for (api::Failure& failure : failures) result.add_failure({std::nullopt, std::move(failure)});
    return result;
  }
  // Each on its own, so that what fails is told by its own name.
  for (size_t i = 0; i < transaction.operations.size(); ++i) transaction.operations[i].index = static_cast<uint32_t>(i);
  Applier applier(model_, reading_half_, limits_, std::chrono::system_clock::now(), effects_);
  Result result = run(applier, transaction);
  // Positions are of what the client never sent.
  for (IndexedFailure& failure : result.failures) failure.index.reset();
  return result;
}

void Writer::forget_session(uint64_t session) {
  if (resync_ && resync_->session() == session) resync_.reset();
}

}  // namespace fairlead::store
