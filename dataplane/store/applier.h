// Applies one transaction to the model: all of it or nothing, or (EACH) each operation alone.
//
// Opens and closes addresses on the way, because whether a listener holds is known only then; everything else that has
// to happen outside the model is written down in Effects. Lives for one transaction, on the store's thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "api/operation.h"
#include "store/effects.h"
#include "store/limits.h"
#include "store/model.h"
#include "store/reading_half.h"
#include "store/transaction.h"

namespace fairlead::store {

class Applier {
 public:
  Applier(Model& model, ReadingHalf& reading_half, const Limits& limits, config::WallTime now, Effects& effects)
      : model_(model), reading_half_(reading_half), limits_(limits), now_(now), effects_(effects) {}

  // Afterwards the model can still be rolled back. `touched` names the resource only (records without status): see
  // Touched.
  Result run(Transaction& transaction);

  // Of a DeleteServer: all that depart under its name, so that one can wait for their end.
  const std::vector<config::Uid>& departing() const { return departing_; }

 private:
  using Failed = std::optional<api::Failure>;

  std::optional<api::Failure> check_version(const Transaction& transaction) const;
  void apply_all(Transaction& transaction, Result& result);
  void apply_group(std::vector<api::Operation>& operations, size_t begin, size_t end, Result& result);

  Failed apply(api::WriteServer& write);
  Failed apply(api::WriteBackend& write);
  Failed apply(api::WriteListener& write);
  Failed apply(api::WriteCertificate& write);
  Failed apply(api::PatchResource& patch);
  Failed apply(api::DeleteServer& request);
  Failed apply(api::DeleteBackend& request);
  Failed apply(api::DeleteListener& request);
  Failed apply(api::DeleteCertificate& request);

  Failed patch_server(const v1::Patch& patch);
  Failed patch_backend(const v1::Patch& patch);
  Failed patch_listener(const v1::Patch& patch);
  Failed patch_certificate(const v1::Patch& patch);

  Failed add_server(BackendState& backend, base::Ref<config::Server> server);
  Failed replace_server(BackendState& backend, base::Ref<const config::Server> before, base::Ref<config::Server> after);
  Failed remove_server(BackendState& backend, base::Ref<const config::Server> server, const config::DrainPolicy& drain);
  void follow_name(const BackendState& backend, const config::Server* before, const config::Server& after);
  void follow_check(const BackendState& backend, const config::Server& server);
  // A server follows another one's health from now on, which has to be there: at once (EACH), or when the transaction
  // has come to its end.
  Failed begin_tracking(const BackendState& backend, const config::Server& server);
  Failed check_target(const BackendState& backend, const config::Server& server) const;
  std::optional<IndexedFailure> check_targets() const;
  // Notes all of this name that depart, newest last.
  void note_departing(const api::DeleteServer& request);
  void hurry(config::Uid departing, const config::DrainPolicy& drain);
  Failed add_listener(base::Ref<config::Listener> listener);
  Failed replace_listener(base::Ref<const config::Listener> before, base::Ref<config::Listener> after);
  // Opens those of `after.bind` that `before` (may be null) has not, and fills `after.bound`.
  Failed open_addresses(const config::Listener* before, config::Listener& after);
  // In a transaction that holds as a whole, what each listener will be: one may take what another gives up later.
  void note_listeners_at_end(const std::vector<api::Operation>& operations);
  // Another listener that has the address, or one that overlaps it, and will have it at the transaction's end; by name,
  // null for none.
  const std::string* competitor_at(const config::Endpoint& address, const std::string& listener) const;
  // Whether it gave the address up since the last publication.
  bool is_closing(config::Uid listener, const config::Endpoint& endpoint) const;
  // `own`: those that the listener keeps.
  Failed check_free(const std::vector<config::Endpoint>& addresses, std::vector<config::Endpoint> own,
                    const config::Listener& listener) const;
  Failed check_loop(const config::Listener& listener, const std::vector<config::Endpoint>& bound) const;
  Failed check_references(const config::Listener& listener) const;
  // `before`: the listener until now, or null.
  void compile(config::Listener& listener, const config::Listener* before) const;
  Failed check_new(config::Certificate& certificate, const config::Certificate* before) const;

  // The version that the transaction makes; the first change sets it.
  void changed();
  config::Metadata new_metadata();
  config::Metadata updated(const config::Metadata& before);
  // `before`: of an update.
  void add_event(v1::Change change, const BackendState& backend, const base::Ref<const config::Server>& server,
                 base::Ref<const config::Server> before = nullptr);
  void add_event(v1::Change change, const BackendState& backend, base::Ref<const config::Backend> before = nullptr);
  void add_event(v1::Change change, const base::Ref<const config::Listener>& listener,
                 base::Ref<const config::Listener> before = nullptr);
  void add_event(v1::Change change, const base::Ref<const config::Certificate>& certificate,
                 base::Ref<const config::Certificate> before = nullptr);
  void add_event(Event event);

  Model& model_;
  ReadingHalf& reading_half_;
  const Limits& limits_;
  const config::WallTime now_;
  Effects& effects_;
  std::shared_ptr<const Origin> origin_;
  config::Version version_ = 0;
  Touched touched_;
  std::vector<config::Uid> departing_;
  bool each_ = false;
  bool restores_ = false;
  // Null: deleted.
  absl::flat_hash_map<std::string, base::Ref<const config::Listener>> at_end_;
  // Of the operation that is being applied.
  uint32_t index_ = 0;
  struct Tracking {
    uint32_t index;
    config::BackendHandle backend;
    config::Slot slot;
    config::Uid uid;
  };
  std::vector<Tracking> tracking_;
};

}  // namespace fairlead::store
