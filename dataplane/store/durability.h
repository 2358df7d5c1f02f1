// The store's side of the journal: what a batch changed, written as one group; what follows where that fails. Belongs
// to the store's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "journal/history.h"
#include "journal/journal.h"
#include "store/inbox.h"
#include "store/model.h"
#include "store/rows.h"
#include "store/transaction.h"

namespace fairlead::store {

class Durability {
 public:
  // `journal`: loaded; null where nothing is kept.
  Durability(std::unique_ptr<journal::Journal> journal, std::shared_ptr<Inbox> inbox);

  journal::Journal* journal() const { return journal_.get(); }

  // Why nothing can be written now, without a resource; nothing where it can.
  std::optional<api::Failure> refusal() const;

  // A transaction changed the model: the log's entries from `first` on.
  void note(const Transaction& transaction, const Result& result, const RowLog& rows, size_t first);
  // Where it differs from what is on disk it is written with the next batch, even if that changes nothing.
  void set_election(journal::ElectionId id);
  bool has_something(const Model& model) const { return journal_ && (model.mark() > 0 || election_changed_); }

  // Writes what the model changed since its last commit(). Returns why it is not on disk, nothing where it is; the
  // model is for the caller to roll back then.
  std::optional<api::Failure> write(const Model& model);
  // After a write() that failed, when the model has been rolled back, and after take_back(): where the journal needs
  // it, begins to write all anew.
  void rebuild_if_failed(const std::function<Everything()>& everything);

  // Between transactions. See journal.h. An error, and nothing was done, while all is being written anew.
  absl::Status hand_over();
  // Where it was not handed over there is nothing to do. Where it is failed afterwards, rebuild_if_failed() is to
  // follow.
  absl::Status take_back(bool changes_count);

 private:
  api::Failure failure(v1::Reason reason, const std::string& problem) const;
  void rebuild(Everything everything);

  std::unique_ptr<journal::Journal> journal_;
  std::shared_ptr<Inbox> inbox_;
  std::vector<journal::HistoryRow> history_;
  journal::ChangeWriter changes_;
  journal::ElectionId election_;
  bool election_changed_ = false;
  bool is_rebuilding_ = false;
};

// What the journal is to say of the model beside its rows.
journal::State state_of(const Model& model, uint64_t epoch, journal::ElectionId election);

}  // namespace fairlead::store
