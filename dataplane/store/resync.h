// A resync: a control plane says all that should be there, and its end removes the rest.
//
// Only what existed when it began may be removed, and only where no operation of its session named it since: what
// others add meanwhile is spared, and what the session itself adds need not be remembered. Uids grow, so the uid at the
// beginning tells which is which, and marks are needed for no more than what was there. There is one at a time, the
// primary's. Belongs to the store's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "store/model.h"
#include "store/transaction.h"

namespace fairlead::store {

struct BeginResync {
  uint64_t id = 0;
  std::shared_ptr<const Origin> origin;
  Fence fence{};
  // Empty: everything. Else the servers of this backend.
  std::string backend;
};

struct EndResync {
  static constexpr uint32_t kMaxRemovalPercentDefault = 50;

  uint64_t id = 0;
  std::shared_ptr<const Origin> origin;
  Fence fence{};
  // At most 100.
  uint32_t max_removal_percent = kMaxRemovalPercentDefault;
  bool cancel = false;
};

class Resync {
 public:
  // `backend`: its servers are the scope; empty for everything.
  Resync(const Model& model, uint64_t session, std::string backend)
      : model_(model), session_(session), last_uid_(model.last_uid()), backend_(std::move(backend)) {}

  uint64_t session() const { return session_; }
  // Marks what the transaction names, whatever becomes of it, and turns operations that are out of scope into failures.
  void take(Transaction& transaction);
  // The deletions that are left to do, in an order in which references hold. Costs a look at each resource in scope.
  std::vector<api::Operation> removals() const;
  // Why so much may not be removed; none where it may.
  std::vector<api::Failure> check_guard(const std::vector<api::Operation>& removals, const EndResync& request) const;

 private:
  void refuse_out_of_scope(Transaction& transaction) const;
  bool is_in_scope(const api::Action& action) const;
  void mark(const api::Action& action);
  void mark(const api::ResourceName& name);
  void mark(config::Uid uid) {
    if (uid <= last_uid_) marks_.insert(uid);
  }
  bool is_left_over(config::Uid uid) const { return uid <= last_uid_ && !marks_.contains(uid); }
  // How many servers go with these removals, and how many there are.
  uint64_t servers_in(const std::vector<api::Operation>& removals) const;
  uint64_t all_servers() const;
  // The servers of a backend that are left over.
  std::vector<api::Operation> left_over_servers(const BackendState& backend) const;

  const Model& model_;
  const uint64_t session_;
  // The newest resource's when it began.
  const config::Uid last_uid_;
  const std::string backend_;
  absl::flat_hash_set<config::Uid> marks_;
};

}  // namespace fairlead::store
