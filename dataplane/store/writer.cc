#include "store/writer.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "base/quoted.h"
#include "config/text.h"
#include "config/validate.h"
#include "spdlog/spdlog.h"
#include "store/applier.h"
#include "store/load.h"

namespace fairlead::store {
namespace {

// A transaction's line in the audit log names so many of its changes.
constexpr size_t kAuditedMax = 5;

std::string_view verb_of(v1::Change change) {
  switch (change) {
    case v1::CHANGE_CREATED:
      return "create ";
    case v1::CHANGE_UPDATED:
      return "update ";
    default:
      return "delete ";
  }
}

// "create server web/s1"; nothing of a step.
struct AuditText {
  std::string operator()(const ServerChange& what) const {
    return config::concat(verb_of(what.change), api::server_title(what.server.backend, what.server.record->name));
  }
  std::string operator()(const BackendChange& what) const {
    return config::concat(verb_of(what.change), api::backend_title(what.backend.record->name));
  }
  std::string operator()(const ListenerChange& what) const {
    return config::concat(verb_of(what.change), api::listener_title(what.listener.record->name));
  }
  std::string operator()(const CertificateChange& what) const {
    return config::concat(verb_of(what.change), api::certificate_title(what.certificate.record->name));
  }
  std::string operator()(const ServerStep&) const { return ""; }
  std::string operator()(const BackendStep&) const { return ""; }
  std::string operator()(const ProcessStep&) const { return ""; }
};

// `events`: those of the transaction, with `changes` changes among them.
std::string audit_line(const Transaction& transaction, const Result& result, std::span<const Event> events,
                       size_t changes) {
  std::string what;
  size_t named = 0;
  for (auto event = events.begin(); event != events.end() && named < kAuditedMax; ++event) {
    std::string text = std::visit(AuditText{}, event->what);
    if (text.empty()) continue;
    if (named++ > 0) what += ", ";
    what += text;
  }
  if (changes > named) what += config::concat(" and ", changes - named, " more");
  return config::concat("accepted: version ", result.version, " by ", config::quoted(transaction.origin->actor),
                        " from ", base::quoted(transaction.origin->peer), ", transaction ", transaction.id, ": ", what);
}

std::vector<observe::CertificateFacts> certificate_facts(const Reader& reader) {
  std::vector<observe::CertificateFacts> facts;
  for (const config::Certificate* certificate : reader.certificates()) {
    auto until = certificate->facts.not_after.time_since_epoch();
    facts.push_back({certificate->name, std::chrono::duration_cast<std::chrono::seconds>(until)});
  }
  return facts;
}

bool touches_listeners(const Transaction& transaction) {
  return std::ranges::any_of(transaction.operations, [](const api::Operation& operation) {
    const auto* patch = std::get_if<api::PatchResource>(&operation.action);
    return std::holds_alternative<api::WriteListener>(operation.action) ||
           std::holds_alternative<api::DeleteListener>(operation.action) ||
           (patch && patch->patch.resource().has_listener());
  });
}

Result lost(uint64_t id, config::Version version) {
  return refused(id, version,
                 {v1::REASON_SHUTTING_DOWN, config::concat("transaction ", id), "",
                  "the data plane is shutting down before all workers have confirmed it"});
}

}  // namespace

Writer::Writer(ReadingHalf& reading_half, const Limits& limits, std::shared_ptr<Inbox> inbox,
               std::unique_ptr<journal::Journal> journal, std::string zone, std::shared_ptr<const tls::Seal> seal)
    : reading_half_(reading_half),
      limits_(limits),
      inbox_(std::move(inbox)),
      durability_(std::move(journal), inbox_),
      model_(std::move(zone), std::move(seal)),
      drains_(reading_half_, inbox_, [this](const Drains::Ended& ended) { on_drain_ended(ended); }),
      checks_(reading_half_),
      observations_(reading_half_),
      names_(reading_half_),
      reader_(model_, drains_, election_, events_) {
  // The inbox may outlive this writer, which alone runs its tasks.
  reading_half_.on_check_results([this, inbox = inbox_](std::vector<CheckResult> results) {
    inbox->post_fact([this, results = std::move(results)]() mutable {
      std::ranges::move(results, std::back_inserter(check_results_));
    });
  });
  reading_half_.on_name_facts([this, inbox = inbox_](std::vector<NameFact> facts) {
    inbox->post_fact(
        [this, facts = std::move(facts)]() mutable { std::ranges::move(facts, std::back_inserter(name_facts_)); });
  });
  publish();
}

absl::StatusOr<uint64_t> Writer::load(uint64_t epoch) {
  if (absl::Status loaded = store::load(*durability_.journal(), epoch, model_, reading_half_, effects_); !loaded.ok()) {
    return loaded;
  }
  model_.note_rows();
  facts_.set_certificates(certificate_facts(reader_));
  election_.restore(durability_.journal()->state().election);
  events_.restore(model_.version());
  await_names();
  commit();
  return durability_.journal()->state().resources;
}

void Writer::apply(Transaction transaction, const ApplyOptions& options, Done done) {
  if (transaction.answered_before) {
    auto known = answers_to_repetitions_.find(transaction);
    return answer(known ? *std::move(known) : *transaction.answered_before, options, std::move(done));
  }
  auto unfit = election_.check(transaction.fence, transaction.origin->session, transaction.validate_only);
  // What it names is to stay, whatever becomes of it.
  if (!unfit && has_resync(*transaction.origin)) resync_->take(transaction);
  if (!unfit && !transaction.validate_only) unfit = durability_.refusal();
  if (unfit) {
    unfit->resource = config::concat("transaction ", transaction.id);
    return answer(refused(transaction.id, model_.version(), *std::move(unfit)), options, std::move(done));
  }
  bool is_repeatable = !transaction.fingerprint.empty();
  // What stands in this batch may be the first one.
  if (is_repeatable && answers_to_repetitions_.has_noted()) commit();
  if (is_repeatable) {
    if (auto known = answers_to_repetitions_.find(transaction))
      return answer(*std::move(known), options, std::move(done));
  }
  const uint64_t session = transaction.origin->session;
  if (session != 0 && !sessions_.insert(session).second) is_pipelined_ = true;
  Applier applier(model_, reading_half_, limits_, std::chrono::system_clock::now(), effects_);
  Result result = run(applier, transaction);
  if (is_repeatable) answers_to_repetitions_.note(transaction, result);
  if (options.wait_until_removed && !applier.departing().empty()) {
    Answer answer{std::move(result), std::move(done), /*follows_change=*/model_.mark() > 0};
    auto awaited = std::make_shared<AwaitedRemoval>(std::move(answer), applier.departing().size());
    for (config::Uid uid : applier.departing()) {
      waiting_for_removal_[uid].push_back(awaited);
      awaited_.emplace_back(uid, awaited);
    }
    return;
  }
  answer(std::move(result), options, std::move(done));
}

void Writer::refuse(uint64_t id, api::Failure failure, uint64_t session, Done done) {
  if (session != 0) forget_session(session);
  answer(refused(id, model_.version(), std::move(failure)), {}, std::move(done));
}

Result Writer::run(Applier& applier, Transaction& transaction) {
  // An address that an earlier transaction of this batch gave up is free only after its publication.
  if (!effects_.effects.empty() && touches_listeners(transaction)) commit();
  Effects::Mark before = effects_.mark();
  size_t first_row = model_.rows().entries().size();
  model_.set_beginning(transaction.is_beginning);
  Result result = applier.run(transaction);
  model_.set_beginning(false);
  durability_.note(transaction, result, model_.rows(), first_row);
  if (effects_.changes > before.changes) {
    audit_.push_back(audit_line(transaction, result, std::span(effects_.events).subspan(before.events),
                                effects_.changes - before.changes));
    received_.push_back(transaction.received);
  }
  takes_somebody_out_ |=
      std::ranges::any_of(std::span(effects_.effects).subspan(before.effects), [](const Effect& effect) {
        return std::holds_alternative<DrainDeparting>(effect) || std::holds_alternative<FollowAdminState>(effect);
      });
  return result;
}

void Writer::answer(Result result, const ApplyOptions& options, Done done) {
  bool active = options.level == AcknowledgementLevel::kActive;
  (active ? active_ : accepted_).push_back({std::move(result), std::move(done), model_.mark() > 0});
}

void Writer::commit() {
  durability_.set_election(election_.value());
  if (durability_.has_something(model_)) {
    std::optional<api::Failure> failure = durability_.write(model_);
    if (failure) refuse_batch(*failure);
  }
  model_.commit();
  answers_to_repetitions_.keep_noted();
  ended_resync_.reset();
  awaited_.clear();
  for (const Drains::Ended& ended : std::exchange(ended_, {})) end_drain(ended);
  for (ProcessStep& step : std::exchange(process_steps_, {})) add_event(std::move(step), nullptr);
  take_check_results();
  follow_discoveries();
  take_name_facts();
  follow_targets();
  if (model_.version() != published_version_ || model_.has_unpublished_health()) {
    release_last_groups();
    publish();
  }
  // While the workers look at it, and before anybody is answered.
  for (const std::string& line : std::exchange(audit_, {})) spdlog::info("{}", line);
  tell_uses();
  perform_effects();
  // Of a name that is known already a new server has its address at once, and others may go for it.
  while (model_.has_unpublished_health()) {
    release_last_groups();
    publish();
    tell_uses();
    perform_effects();
  }
  close_backups();
  // After drains of servers that are READY again have ended.
  if (std::vector<WarmOrder> orders = model_.take_warm_orders(); !orders.empty()) reading_half_.warm(std::move(orders));
  note_certificates();
  facts_.set_configuration({model_.version(), model_.digest(), election_.value(), reader_.counts()});
  events_.number(effects_.events);
  for (Answer& answer : std::exchange(accepted_, {})) {
    fill_status(answer.result.touched);
    answer.done(std::move(answer.result));
  }
  for (Answer& answer : active_) fill_status(answer.result.touched);
  if (!active_.empty() || !effects_.events.empty()) {
    pending_.push_back(
        {publications_, std::exchange(active_, {}), std::move(effects_.events), std::exchange(received_, {})});
  }
  effects_ = {};
  sessions_.clear();
  is_pipelined_ = false;
  takes_somebody_out_ = false;
  release_pending();
}

absl::Status Writer::take_back_journal(bool changes_count) {
  absl::Status taken = durability_.take_back(changes_count);
  durability_.rebuild_if_failed([this] { return reader_.everything(); });
  return taken;
}

void Writer::refuse_batch(const api::Failure& failure) {
  if (model_.mark() > 0) spdlog::warn("not applied: all after version {}: {}", published_version_, failure.text());
  model_.roll_back(0);
  effects_ = {};
  audit_.clear();
  received_.clear();
  answers_to_repetitions_.forget_noted();
  if (ended_resync_ && !resync_) resync_.emplace(*std::move(ended_resync_));
  auto refuse = [&](Answer& answer) {
    if (!answer.follows_change) return;
    uint64_t id = answer.result.id;
    answer.result = refused(id, model_.version(),
                            {failure.reason, config::concat("transaction ", id), failure.field, failure.problem});
  };
  for (auto& [uid, awaited] : std::exchange(awaited_, {})) {
    auto waiting = waiting_for_removal_.find(uid);
    std::erase(waiting->second, awaited);
    if (waiting->second.empty()) waiting_for_removal_.erase(waiting);
    // Of several servers the last one's turn.
    if (--awaited->servers == 0) active_.push_back(std::move(awaited->answer));
  }
  for (Answer& answer : accepted_) refuse(answer);
  for (Answer& answer : active_) refuse(answer);
  durability_.rebuild_if_failed([this] { return reader_.everything(); });
}

void Writer::publish() {
  published_version_ = model_.version();
  uint64_t publication = ++publications_;
  // The inbox may outlive this writer, which alone runs its tasks.
  reading_half_.publish(model_.make_snapshot(), [this, publication, version = published_version_, inbox = inbox_] {
    inbox->post_fact([this, publication, version] { on_visible(publication, version); });
  });
  for (config::BackendHandle handle : model_.published_changes()) {
    if (const BackendState* backend = model_.find_backend(handle)) observations_.follow(*backend);
  }
}

void Writer::note_certificates() {
  bool changed = std::ranges::any_of(
      effects_.events, [](const Event& event) { return std::holds_alternative<CertificateChange>(event.what); });
  if (changed) facts_.set_certificates(certificate_facts(reader_));
}

void Writer::tell_uses() {
  for (UseChange& change : model_.take_use_changes()) {
    bool is_well = !change.use.panic && !change.use.on_backups;
    spdlog::log(is_well ? spdlog::level::info : spdlog::level::warn, "health: {}: {}",
                api::backend_title(change.backend),
                change.use.panic        ? "panic: so few servers are healthy that all take requests"
                : change.use.on_backups ? "backups take requests"
                                        : "no panic, and no backups in use");
    add_event(BackendStep{std::move(change.backend), change.use}, nullptr);
  }
}

void Writer::close_backups() {
  for (config::BackendHandle handle : model_.take_unneeded_backups()) {
    const BackendState* backend = model_.find_backend(handle);
    if (!backend || backend->settings->effective_on_marked_up() != config::OnMarkedUp::kCloseBackups) continue;
    backend->members.for_each([&](config::Slot slot, const base::Ref<const config::Server>& server) {
      if (server->backup) reading_half_.close_connections(handle, slot, server->metadata.uid);
    });
  }
}

void Writer::add_event(decltype(Event::what) what, const std::shared_ptr<const Origin>& origin) {
  effects_.events.push_back({.what = std::move(what),
                             .time = std::chrono::system_clock::now(),
                             .version = model_.version(),
                             .origin = origin});
}

// A fact: takes its turn in the next commit(), where nothing is left that could be rolled back.
void Writer::on_drain_ended(const Drains::Ended& ended) { ended_.push_back(ended); }

void Writer::end_drain(const Drains::Ended& ended) {
  add_step({ended.backend, ended.name, ended.uid, ended.lifecycle, ended.cut_off}, ended.origin);
  if (!ended.departed) return;
  model_.release_departed(ended.uid);
  auto waiting = waiting_for_removal_.extract(ended.uid);
  if (waiting.empty()) return;
  for (const std::shared_ptr<AwaitedRemoval>& awaited : waiting.mapped()) {
    awaited->answer.result.cut_off += ended.cut_off;
    if (--awaited->servers > 0) continue;
    awaited->answer.follows_change = false;
    active_.push_back(std::move(awaited->answer));
  }
}

void Writer::on_visible(uint64_t publication, config::Version version) {
  visible_ = std::max(visible_, publication);
  visible_version_.store(std::max(visible_version(), version), std::memory_order_release);
}

void Writer::release_pending() {
  while (!pending_.empty() && pending_.front().publication <= visible_) {
    Pending pending = std::move(pending_.front());
    pending_.pop_front();
    deliver(pending);
  }
}

void Writer::deliver(Pending& pending) {
  if (!pending.received.empty()) facts_.note_changes(pending.received, std::chrono::steady_clock::now());
  for (Answer& answer : pending.answers) answer.done(std::move(answer.result));
  events_.publish(std::move(pending.events));
}

void Writer::fill_status(Touched& touched) const {
  if (touched.server) {
    const BackendState* backend = model_.find_backend(touched.server->backend);
    if (backend) touched.server = reader_.view(*backend, touched.server->record);
  }
  if (touched.backend) {
    const BackendState* backend = model_.find_backend(touched.backend->record->name);
    base::Ref<const config::Backend> record = touched.backend->record;
    if (backend) touched.backend = reader_.view(*backend);
    touched.backend->record = std::move(record);
  }
}

void Writer::give_up() {
  for (Pending& pending : std::exchange(pending_, {})) {
    for (Answer& answer : pending.answers) answer.done(lost(answer.result.id, model_.version()));
  }
  for (auto& [uid, waiting] : std::exchange(waiting_for_removal_, {})) {
    for (const std::shared_ptr<AwaitedRemoval>& awaited : waiting) {
      if (--awaited->servers == 0) awaited->answer.done(lost(awaited->answer.result.id, model_.version()));
    }
  }
}

}  // namespace fairlead::store
