#include "store/applier.h"

#include <utility>

#include "base/give_way.h"
#include "config/text.h"

namespace fairlead::store {

using config::concat;

Result Applier::run(Transaction& transaction) {
  Result result{.id = transaction.id};
  if (std::optional<api::Failure> failure = check_version(transaction)) {
    return refused(transaction.id, model_.version(), *std::move(failure));
  }
  origin_ = transaction.origin;
  each_ = transaction.each;
  restores_ = transaction.restores;
  config::Version before = model_.version();
  version_ = before + 1;
  size_t mark = model_.mark();
  Effects::Mark effects_mark = effects_.mark();
  if (!each_) note_listeners_at_end(transaction.operations);
  apply_all(transaction, result);
  if (result.failures_total == 0) {
    if (std::optional<IndexedFailure> failure = check_targets()) result.add_failure(*std::move(failure));
  }
  bool all_refused = result.failures_total > 0 && !transaction.each;
  if (all_refused || transaction.validate_only) {
    model_.roll_back(mark);
    effects_.roll_back(effects_mark);
    departing_.clear();
  }
  result.version = model_.version();
  result.touched = std::move(touched_);
  bool has_changed = model_.version() != before;
  if (all_refused ||
      (transaction.each && result.failures_total > 0 && result.failures_total == transaction.operation_count)) {
    result.outcome = Outcome::kRefused;
  } else if (result.failures_total > 0) {
    result.outcome = Outcome::kPartial;
  } else {
    result.outcome = has_changed ? Outcome::kApplied : Outcome::kUnchanged;
  }
  return result;
}

std::optional<api::Failure> Applier::check_version(const Transaction& transaction) const {
  if (!transaction.expected_version || *transaction.expected_version == model_.version()) return std::nullopt;
  bool future = *transaction.expected_version > model_.version();
  return api::Failure{future ? v1::REASON_FUTURE_VERSION : v1::REASON_VERSION_MISMATCH,
                      concat("transaction ", transaction.id), "expected_version",
                      concat(*transaction.expected_version, future ? " is not reached yet" : " is past",
                             ": the configuration has version ", model_.version(), "; read it again")};
}

// Failures stand in the order of operations; the malformed ones are known from the start.
void Applier::apply_all(Transaction& transaction, Result& result) {
  if (!transaction.each && !transaction.malformed.empty()) {
    for (IndexedFailure& failure : transaction.malformed) result.add_failure(std::move(failure));
    return;
  }
  auto malformed = transaction.malformed.begin();
  std::vector<api::Operation>& operations = transaction.operations;
  base::GiveWay give_way;
  for (size_t begin = 0; begin < operations.size();) {
    size_t end = begin + 1;
    while (end < operations.size() && operations[end].index == operations[begin].index) ++end;
    for (; malformed != transaction.malformed.end() && malformed->index < operations[begin].index; ++malformed) {
      result.add_failure(std::move(*malformed));
    }
    give_way.step();
    apply_group(operations, begin, end, result);
    if (result.failures_total > 0 && !transaction.each) return;
    begin = end;
  }
  for (; malformed != transaction.malformed.end(); ++malformed) result.add_failure(std::move(*malformed));
}

// One operation as it was sent, with the shorthands that it stands for: it fails as a whole, and what it touched is
// what it names, the first.
void Applier::apply_group(std::vector<api::Operation>& operations, size_t begin, size_t end, Result& result) {
  size_t mark = model_.mark();
  Effects::Mark effects_mark = effects_.mark();
  Touched named;
  index_ = operations[begin].index;
  for (size_t i = begin; i < end; ++i) {
    touched_ = {};
    Failed failure = std::visit([this](auto& action) { return apply(action); }, operations[i].action);
    if (i == begin) named = std::exchange(touched_, {});
    if (!failure) continue;
    touched_ = {};
    model_.roll_back(mark);
    effects_.roll_back(effects_mark);
    result.add_failure({operations[begin].index, *std::move(failure)});
    return;
  }
  touched_ = std::move(named);
}

void Applier::changed() {
  if (model_.version() != version_) model_.set_version(version_);
  ++effects_.changes;
}

config::Metadata Applier::new_metadata() { return {model_.next_uid(), version_, now_, now_}; }

config::Metadata Applier::updated(const config::Metadata& before) {
  return {before.uid, version_, before.create_time, now_};
}

void Applier::add_event(v1::Change change, const BackendState& backend, const base::Ref<const config::Server>& server,
                        base::Ref<const config::Server> before) {
  base::Ref<const Health> health = backend.health_of(server->slot);
  base::Ref<const Ejection> ejection = backend.ejection_of(*server);
  uint32_t weight = ejection ? 0 : effective_weight_of(*backend.adjusted_of(server), *backend.settings, health.get());
  ServerView view{.backend = backend.settings->name,
                  .record = server,
                  .lifecycle = lifecycle_of(*backend.adjusted_of(server), false, health.get()),
                  .effective_weight = weight,
                  .health = std::move(health),
                  .ejection = std::move(ejection),
                  .resolution = backend.resolution_of(server->slot)};
  add_event({.what = ServerChange{change, std::move(view), std::move(before)}});
}

void Applier::add_event(v1::Change change, const BackendState& backend, base::Ref<const config::Backend> before) {
  add_event({.what = BackendChange{change, {backend.settings}, std::move(before)}});
}

void Applier::add_event(v1::Change change, const base::Ref<const config::Listener>& listener,
                        base::Ref<const config::Listener> before) {
  add_event({.what = ListenerChange{change, {listener}, std::move(before)}});
}

void Applier::add_event(v1::Change change, const base::Ref<const config::Certificate>& certificate,
                        base::Ref<const config::Certificate> before) {
  add_event({.what = CertificateChange{change, {certificate}, std::move(before)}});
}

void Applier::add_event(Event event) {
  event.time = now_;
  event.version = version_;
  event.origin = origin_;
  effects_.events.push_back(std::move(event));
}

}  // namespace fairlead::store
