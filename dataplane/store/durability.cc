#include "store/durability.h"

#include <utility>

#include "config/text.h"

namespace fairlead::store {
namespace {

journal::HistoryChange change_of(const RowLog& rows, const RowLog::Entry& entry) {
  using What = journal::HistoryChange::What;
  if (!entry.before) {
    return {.what = What::kCreated, .kind = entry.kind, .uid = entry.after->metadata.uid, .name = rows.name(entry)};
  }
  journal::Row before = rows.row(entry, *entry.before);
  // A private key that was given up is kept nowhere.
  if (entry.kind == journal::Kind::kCertificate) before.bound = {};
  return {.what = entry.after ? What::kUpdated : What::kDeleted,
          .kind = entry.kind,
          .uid = entry.before->metadata.uid,
          .before = before};
}

}  // namespace

journal::State state_of(const Model& model, uint64_t epoch, journal::ElectionId election) {
  return {.epoch = epoch,
          .version = model.version(),
          .last_uid = model.last_uid(),
          .election = election,
          .digest = model.digest().bytes(),
          .resources = model.configured_servers() + model.backends().size() + model.listeners().size() +
                       model.certificates().size()};
}

Durability::Durability(std::unique_ptr<journal::Journal> journal, std::shared_ptr<Inbox> inbox)
    : journal_(std::move(journal)), inbox_(std::move(inbox)) {
  if (journal_) election_ = journal_->state().election;
}

std::optional<api::Failure> Durability::refusal() const {
  if (!journal_) return std::nullopt;
  if (journal_->is_handed_over()) {
    return failure(v1::REASON_SHUTTING_DOWN, "another process is taking over this data plane's state");
  }
  if (journal_->is_failed()) return failure(v1::REASON_JOURNAL_FAILED, journal_->info().problem);
  return std::nullopt;
}

void Durability::note(const Transaction& transaction, const Result& result, const RowLog& rows, size_t first) {
  if (!journal_ || rows.entries().size() <= first) return;
  for (size_t i = first; i < rows.entries().size(); ++i) changes_.add(change_of(rows, rows.entries()[i]));
  history_.push_back({.version = result.version,
                      .time = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1),
                      .actor = transaction.origin->actor,
                      .peer = transaction.origin->peer,
                      .transaction_id = transaction.id,
                      .fingerprint = transaction.fingerprint,
                      .changes = changes_.take()});
}

void Durability::set_election(journal::ElectionId id) {
  election_changed_ |= election_ != id;
  election_ = id;
}

std::optional<api::Failure> Durability::write(const Model& model) {
  if (!journal_) return std::nullopt;
  std::vector<journal::HistoryRow> history = std::exchange(history_, {});
  // An election id that comes while nothing can be written goes with the first group that can.
  if (journal_->is_handed_over() || journal_->is_failed()) return refusal();
  for (const RowLog::Entry& entry : model.rows().entries()) {
    if (entry.after) {
      journal_->put(model.rows().row(entry, *entry.after));
    } else {
      journal_->erase(entry.before->metadata.uid);
    }
  }
  for (const journal::HistoryRow& row : history) journal_->add(row);
  switch (journal_->commit(state_of(model, journal_->state().epoch, election_))) {
    case journal::Journal::Written::kYes:
      election_changed_ = false;
      return std::nullopt;
    case journal::Journal::Written::kFull:
      return failure(v1::REASON_DISK_FULL, journal_->info().problem);
    case journal::Journal::Written::kFailed:
      break;
  }
  return failure(v1::REASON_JOURNAL_FAILED, journal_->info().problem);
}

api::Failure Durability::failure(v1::Reason reason, const std::string& problem) const {
  std::string text = problem;
  if (reason == v1::REASON_DISK_FULL) {
    text = config::concat("there is no room for it in ", journal_->path(), ": ", problem,
                          "; it works again as soon as there is");
  } else if (reason == v1::REASON_JOURNAL_FAILED) {
    text = config::concat(journal_->path(), " could not be written: ", problem,
                          "; writes are refused until all of it stands in a new file, which is being tried");
  }
  return {reason, "", "", text};
}

void Durability::rebuild_if_failed(const std::function<Everything()>& everything) {
  if (journal_ && journal_->is_failed() && !is_rebuilding_) rebuild(everything());
}

void Durability::rebuild(Everything everything) {
  is_rebuilding_ = true;
  // The inbox may outlive this, and then nobody runs its tasks.
  journal_->rebuild(rows_of(everything), [this, everything, inbox = inbox_] {
    inbox->post_fact([this, everything] {
      journal_->take_rebuilt();
      is_rebuilding_ = false;
      if (journal_->is_failed()) rebuild(everything);
    });
  });
}

absl::Status Durability::hand_over() {
  if (!journal_) return absl::OkStatus();
  if (journal_->is_failed()) {
    return absl::FailedPreconditionError("the journal is being written anew after a failure; try again when it is");
  }
  journal_->hand_over();
  return absl::OkStatus();
}

absl::Status Durability::take_back(bool changes_count) {
  return journal_ && journal_->is_handed_over() ? journal_->take_back(changes_count) : absl::OkStatus();
}

}  // namespace fairlead::store
