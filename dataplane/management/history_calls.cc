#include "management/history_calls.h"

#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "config/text.h"
#include "config/validate.h"
#include "management/messages.h"
#include "management/paging.h"

namespace fairlead::management {
namespace {

// Why a rollback cannot bring a certificate back.
constexpr const char* kKeyIsGone =
    "what it was then is kept nowhere, as it has been replaced or deleted; add the certificate with its key first";
// A rollback that others overtake is tried so often.
constexpr int kRollbackTries = 5;
// Well below the 4 MiB that a client takes.
constexpr size_t kPartBytes = 1 << 20;

grpc::Status to_status(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

grpc::Status no_history() {
  return {grpc::StatusCode::FAILED_PRECONDITION,
          "history: is kept in the state directory, and this data plane has none; set state_directory"};
}

// What `look` finds in the history of the journal at `path`, or why there is none to be looked at. Waits for the disk.
template <typename Look>
auto look_into(const std::string& path, Look look) -> decltype(look(std::declval<store::History&>())) {
  absl::StatusOr<store::History> history = store::History::open(path);
  if (!history.ok()) return history.status();
  return look(*history);
}

grpc::Status too_many_searches() {
  return busy(config::concat(Context::kSearchesMax, " readers of the history wait already; try again later"));
}

// Where nobody who opens a session waits for it. False where too many wait already.
bool search(const std::shared_ptr<Context>& context, Executor::Task task) {
  if (++context->searches > Context::kSearchesMax) {
    --context->searches;
    return false;
  }
  context->searching.post([context, task = std::move(task)]() mutable {
    task();
    --context->searches;
  });
  return true;
}

// Runs `look` where it may wait for the disk; the rest of the work, whose status ends the call, on the executor's
// thread.
void look_back(const std::shared_ptr<Context>& context, const std::shared_ptr<UnaryCall>& call,
               std::function<Rest(store::History&)> look) {
  std::string path = context->store.journal_path();
  if (path.empty()) return call->answer(no_history);
  const bool is_posted = search(context, [call, path = std::move(path), look = std::move(look)] {
    absl::StatusOr<store::History> history = store::History::open(path);
    if (!history.ok()) return call->answer([status = history.status()] { return to_status(status); });
    call->answer(look(*history));
  });
  if (!is_posted) call->answer(too_many_searches);
}

}  // namespace

grpc::ServerUnaryReactor* list_history(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                       const v1::ListHistoryRequest& request, v1::ListHistoryResponse& response) {
  std::optional<size_t> size = read_page_size(request.page_size());
  if (!size) {
    return refuse(call, invalid(config::concat("page_size: ", request.page_size(), " is out of range [0, 1000]")));
  }
  std::string query = query_text(request);
  std::optional<std::string> after = read_page_token(query, request.page_token());
  uint64_t before = 0;
  if (!after || (!after->empty() && !absl::SimpleAtoi(*after, &before))) {
    return refuse(call, invalid("page_token: is not one that ListHistory gave; leave it empty for the first page"));
  }
  auto answered = UnaryCall::open(context);
  look_back(context, answered, [&response, query, before, count = *size](store::History& history) -> Rest {
    absl::StatusOr<store::HistoryPage> page = history.list(before, count);
    if (!page.ok()) return [status = page.status()] { return to_status(status); };
    return [&response, query, page = *std::move(page)] {
      for (const v1::HistoryEntry& entry : page.entries) *response.add_entries() = entry;
      response.set_oldest_version(page.oldest_version);
      if (page.next != 0) response.set_next_page_token(make_page_token(query, config::concat(page.next)));
      return grpc::Status::OK;
    };
  });
  return answered.get();
}

void read_last_transaction(const std::shared_ptr<Context>& context, const std::string& client,
                           absl::AnyInvocable<void(uint64_t)> done) {
  std::string path = context->store.journal_path();
  if (path.empty()) return done(0);
  context->reading.post([path = std::move(path), client, done = std::move(done)]() mutable {
    done(look_into(path, [&](store::History& history) { return history.last_transaction_of(client); }).value_or(0));
  });
}

void apply_once(const std::shared_ptr<Context>& context, store::Transaction transaction,
                const store::ApplyOptions& options, std::function<void(store::Result)> done) {
  std::string path = context->store.journal_path();
  if (path.empty()) return context->store.apply(std::move(transaction), options, std::move(done));
  context->reading.post([context, path = std::move(path), transaction = std::move(transaction), options,
                         done = std::move(done)]() mutable {
    auto known = look_into(path, [&](store::History& history) { return history.answer_to(transaction); });
    // What cannot be read is no reason to refuse a change; the store remembers those of this life.
    if (known.ok() && *known) transaction.answered_before = std::make_shared<const store::Result>(**std::move(known));
    context->store.apply(std::move(transaction), options, std::move(done));
  });
}

grpc::ServerUnaryReactor* get_transaction(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                          const v1::GetTransactionRequest& request,
                                          v1::GetTransactionResponse& response) {
  if (config::Problem problem = config::check_name(request.client_name())) {
    return refuse(call, invalid("client_name: " + *problem));
  }
  if (request.id() == 0) return refuse(call, invalid("id: 0 is nobody's; ids that can be found are above 0"));
  auto answered = UnaryCall::open(context);
  // A call that is cancelled takes its request with it.
  look_back(context, answered, [request, &response](store::History& history) -> Rest {
    absl::StatusOr<v1::GetTransactionResponse> found = history.find(request.client_name(), request.id());
    if (!found.ok()) return [status = found.status()] { return to_status(status); };
    return [&response, found = *std::move(found)] {
      response = found;
      return grpc::Status::OK;
    };
  });
  return answered.get();
}

void DiffStream::begin() {
  auto self = std::static_pointer_cast<DiffStream>(shared_from_this());
  std::string path = context().store.journal_path();
  if (path.empty()) return finish(no_history());
  const bool is_posted = search(shared_context(), [self, path = std::move(path)] {
    auto difference = look_into(path, [&](store::History& history) {
      return history.compare(self->request_.from_version(), self->request_.to_version());
    });
    self->context().executor.post([self, difference = std::move(difference)]() mutable {
      if (!difference.ok()) return self->finish(to_status(difference.status()));
      self->difference_ = *std::move(difference);
      self->pump();
    });
  });
  if (!is_posted) finish(too_many_searches());
}

bool DiffStream::next(v1::DiffVersionsResponse& response) {
  if (!difference_) return false;
  std::vector<v1::ResourceDifference>& all = difference_->differences;
  if (written_ == all.size()) {
    finish(grpc::Status::OK);
    return false;
  }
  for (size_t bytes = 0; written_ < all.size() && bytes < kPartBytes; ++written_) {
    bytes += all[written_].ByteSizeLong();
    *response.add_differences() = std::move(all[written_]);
  }
  return true;
}

namespace {

class RollBack : public std::enable_shared_from_this<RollBack> {
 public:
  RollBack(std::shared_ptr<Context> context, const v1::RollbackRequest& request, v1::RollbackResponse& response,
           std::shared_ptr<const store::Origin> origin)
      : context_(std::move(context)), request_(request), response_(response), origin_(std::move(origin)) {}

  grpc::ServerUnaryReactor* begin() {
    call_ = UnaryCall::open(context_);
    find_difference();
    return call_.get();
  }

 private:
  void find_difference() {
    std::string path = context_->store.journal_path();
    if (path.empty()) return call_->answer(no_history);
    const bool is_posted = search(context_, [self = shared_from_this(), path = std::move(path)] {
      auto difference = look_into(
          path, [&](store::History& history) { return history.compare(self->request_.version(), 0, "version"); });
      if (!difference.ok()) {
        return self->call_->answer([status = difference.status()] { return to_status(status); });
      }
      self->apply(*difference);
    });
    if (!is_posted) call_->answer(too_many_searches);
  }

  void apply(const store::VersionDifference& difference) {
    v1::Transaction message;
    std::vector<v1::Operation> operations = store::operations_back(difference);
    message.mutable_operations()->Assign(operations.begin(), operations.end());
    message.set_validate_only(request_.validate_only());
    message.set_expected_version(request_.has_expected_version() ? request_.expected_version() : difference.to);
    // What was there at once may come back at once.
    store::Limits limits = context_->store.limits();
    limits.operations_per_transaction = std::numeric_limits<uint32_t>::max();
    auto changes = static_cast<uint32_t>(operations.size());
    store::Transaction transaction = store::make_transaction(message, limits, origin_);
    transaction.fence = decode_fence(request_.fence());
    transaction.restores = true;
    context_->store.apply(std::move(transaction), {}, [self = shared_from_this(), changes](store::Result result) {
      self->applied(std::move(result), changes);
    });
  }

  void applied(store::Result result, uint32_t changes) {
    bool overtaken = !result.failures.empty() && !request_.has_expected_version() &&
                     result.failures.front().failure.reason == v1::REASON_VERSION_MISMATCH;
    if (overtaken && ++tries_ < kRollbackTries) return find_difference();
    for (store::IndexedFailure& one : result.failures) {
      if (one.failure.field == "private_key") one.failure.problem = kKeyIsGone;
    }
    call_->answer([self = shared_from_this(), result = std::move(result), changes] {
      encode(result, *self->response_.mutable_result());
      self->response_.set_changes_total(result.refused() ? 0 : changes);
      return grpc::Status::OK;
    });
  }

  std::shared_ptr<Context> context_;
  const v1::RollbackRequest request_;
  v1::RollbackResponse& response_;
  std::shared_ptr<const store::Origin> origin_;
  std::shared_ptr<UnaryCall> call_;
  int tries_ = 0;
};

}  // namespace

grpc::ServerUnaryReactor* roll_back(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                    const v1::RollbackRequest& request, v1::RollbackResponse& response) {
  // Else a request that says nothing would remove everything.
  if (request.version() == 0) {
    return refuse(call, invalid("version: is 0 or not set; it names a version that history has, from 1"));
  }
  auto origin = std::make_shared<const store::Origin>("rollback", context->peers.find(call->peer())->text());
  return std::make_shared<RollBack>(context, request, response, std::move(origin))->begin();
}

}  // namespace fairlead::management
