// The model that changes: all resources with the indexes that a change needs, and the way back.
//
// Each change is written down with its inverse until commit(); roll_back() undoes what came after a mark. Changes cost
// what they touch, never the number of servers. Belongs to the store's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "config/snapshot.h"
#include "store/address_counts.h"
#include "store/backend_state.h"
#include "store/digest.h"
#include "store/reading_half.h"
#include "store/row_log.h"
#include "store/trackers.h"
#include "store/transaction.h"
#include "store/views.h"
#include "tls/seal.h"

namespace fairlead::store {

// A deleted server that finishes what it has. Keeps its slot.
struct DepartingServer {
  base::Ref<const config::Server> record;
  // Of the backend, which may be gone as well.
  BackendState* backend = nullptr;
  std::string backend_name;
  config::BackendHandle handle;
  config::Duration timeout{};
  config::Duration jitter{};
  config::WallTime deadline;
  std::shared_ptr<const Origin> origin;
};

// Order of listings.
struct DepartingKey {
  std::string backend;
  std::string name;
  config::Uid uid = 0;
  friend auto operator<=>(const DepartingKey&, const DepartingKey&) = default;
};

// Which servers a backend uses has changed, by itself or by a transaction.
struct UseChange {
  std::string backend;
  Tiers::Use use;
};

class Model {
 public:
  using Backends = absl::btree_map<std::string, std::unique_ptr<BackendState>, std::less<>>;
  using Listeners = absl::btree_map<std::string, base::Ref<const config::Listener>, std::less<>>;
  using Certificates = absl::btree_map<std::string, base::Ref<const config::Certificate>, std::less<>>;
  using Departing = absl::btree_map<DepartingKey, DepartingServer>;

  // `zone`: where this data plane stands; may be empty. `seal`: for private keys in the journal; null where there is
  // none.
  explicit Model(std::string zone = {}, std::shared_ptr<const tls::Seal> seal = nullptr)
      : zone_(std::move(zone)), seal_(std::move(seal)) {}
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  config::Version version() const { return version_; }
  // Of all resources: members, not those that depart.
  const Digest& digest() const { return digest_; }
  const Backends& backends() const { return backends_; }
  const Listeners& listeners() const { return listeners_; }
  const Certificates& certificates() const { return certificates_; }
  const Departing& departing() const { return departing_; }
  BackendState* find_backend(std::string_view name) const;
  // Null where it is deleted.
  BackendState* find_backend(config::BackendHandle handle) const;
  const config::Listener* find_listener(std::string_view name) const;
  const config::Certificate* find_certificate(std::string_view name) const;
  // Listeners that name it.
  std::vector<std::string> users_of_certificate(std::string_view name) const;
  // Backends whose servers are shown it.
  std::vector<BackendState*> backends_with_certificate(std::string_view name) const;
  const tls::Seal* seal() const { return seal_.get(); }
  const base::Ref<const config::Listener>* find_listener(config::Slot slot) const {
    return working_.listeners.find(slot);
  }
  // Also a deleted one whose servers still drain; null where the slot is free.
  const BackendState* find_backend_at(config::Slot slot) const;
  DepartingServer* find_departing(config::Uid uid);
  // A member by its handle; null where it is not one any more.
  const config::Server* find_member(config::BackendHandle backend, config::Slot slot, config::Uid uid) const;
  // From here on, until it is unset: who is added was there before this process, and is no newcomer.
  void set_beginning(bool is_beginning) { is_beginning_ = is_beginning; }
  uint64_t servers() const { return members_ + departing_.size(); }
  // Members that are configuration.
  uint64_t configured_servers() const { return members_ - discovered_; }
  // The listener that is bound at what a connection to `address` would reach, by name; null for none.
  const std::string* listener_at(const config::Endpoint& address) const;

  // The listener that is bound to exactly this address; null for none.
  const std::string* bound_at(const config::Endpoint& address) const;
  // Another one whose address overlaps with this; null for none.
  // `counts`: whether this listener is looked at.
  const std::string* competitor_at(const config::Endpoint& address,
                                   absl::FunctionRef<bool(const std::string& listener)> counts) const;

  // False: no member's address is where `place` is bound. True is a reason to look.
  bool may_be_member_at(const config::Endpoint& place) const { return addresses_.may_arrive_at(place); }

  config::Uid next_uid() { return ++last_uid_; }
  // Of the newest resource that ever was.
  config::Uid last_uid() const { return last_uid_; }

  // --- changes, each undone by roll_back() ---
  void set_version(config::Version version);
  void add_server(BackendState& backend, base::Ref<config::Server> server);
  void replace_server(BackendState& backend, base::Ref<const config::Server> before,
                      base::Ref<const config::Server> after);
  // It departs: no member any more, but its slot is taken until release_departed().
  void remove_server(BackendState& backend, base::Ref<const config::Server> server, DepartingServer departing);
  void add_backend(base::Ref<config::Backend> backend);
  void replace_backend(BackendState& backend, base::Ref<const config::Backend> after);
  // Requires that it has no members.
  void remove_backend(BackendState& backend);
  void add_listener(base::Ref<config::Listener> listener);
  void replace_listener(base::Ref<const config::Listener> before, base::Ref<const config::Listener> after);
  void remove_listener(base::Ref<const config::Listener> listener);
  // Null `before`: it is added; null `after`: it goes, and no listener names it.
  void place_certificate(base::Ref<const config::Certificate> before, base::Ref<const config::Certificate> after);
  // `after` has the same settings, and what is made of them anew.
  void renew_listener(base::Ref<const config::Listener> before, base::Ref<const config::Listener> after);
  // The same of a backend.
  void renew_backend(BackendState& backend, base::Ref<const config::Backend> after);
  // Something outside the model that has to be undone with it.
  void on_roll_back(absl::AnyInvocable<void()> undo) { undo_.emplace_back(std::move(undo)); }
  config::Slot take_listener_slot();
  config::Slot take_backend_slot();

  size_t mark() const;
  void roll_back(size_t mark);
  void commit();

  // --- what the journal is to be told: changes since the last commit() that hold so far, in their order ---
  const RowLog& rows() const { return rows_; }
  // Without a journal nothing is noted.
  void note_rows() { rows_.enable(); }
  bool notes_rows() const { return rows_.is_enabled(); }

  // --- loading, into an empty model and with nothing to undo: backends before their servers and listeners. Slots are
  // given here; a server's is `wanted` where nobody has that. The digest and the counters come as a whole ---
  void restore_backend(base::Ref<config::Backend> backend);
  void restore_server(BackendState& backend, base::Ref<config::Server> server,
                      std::optional<config::Slot> wanted = std::nullopt);
  void restore_listener(base::Ref<config::Listener> listener);
  void restore_certificate(base::Ref<const config::Certificate> certificate);
  void restore_counters(config::Version version, config::Uid last_uid, const Digest& digest);

  // --- facts; nothing to undo, and not within a transaction ---
  void release_departed(config::Uid uid);
  // A check has found something. Requires a member that is checked.
  void note_health(BackendState& backend, config::Slot slot, base::Ref<const Health> health);
  // A member is ejected, or (null) is not any more.
  void note_ejection(BackendState& backend, config::Slot slot, base::Ref<const Ejection> ejection);
  // Nobody is, nor was.
  void forget_ejections(BackendState& backend);
  // What a member that follows another's health has to be, where that is not what it is: of those whose targets have
  // changed since the last call. Each is for note_health(), which may make others due.
  struct Following {
    BackendState* backend = nullptr;
    config::Slot slot = 0;
    base::Ref<const Health> health;
  };
  std::vector<Following> take_following(config::WallTime now);
  // A member by its name, "backend/server"; null where there is none.
  const config::Server* find_member(std::string_view name) const;
  // What is known of its name has changed. Requires a member that has one.
  void note_resolution(BackendState& backend, config::Slot slot, base::Ref<const Resolution> resolution);
  // A server that DNS names comes, is another one, or goes. Of the metadata the uid has to be one of
  // discovered_metadata() and the update time is taken. `in_service`: it takes requests until its first check says
  // otherwise.
  const config::Server& add_discovered(BackendState& backend, base::Ref<config::Server> server, bool in_service);
  void change_discovered(BackendState& backend, const base::Ref<const config::Server>& before,
                         base::Ref<config::Server> after);
  void remove_discovered(BackendState& backend, const base::Ref<const config::Server>& server,
                         DepartingServer departing);
  config::Metadata discovered_metadata(config::WallTime now);
  // By these, whatever the version is.
  bool has_unpublished_health() const { return unpublished_health_; }

  // All changes so far.
  base::Ref<const config::Snapshot> make_snapshot();
  // By the snapshots since the last call.
  std::vector<UseChange> take_use_changes() { return std::exchange(use_changes_, {}); }
  // Backends whose backups are not needed any more, since servers that are none take all requests, by these snapshots.
  std::vector<config::BackendHandle> take_unneeded_backups() { return std::exchange(unneeded_backups_, {}); }
  // Servers that take requests by these snapshots and did not before, where connections are to be opened to such ones.
  std::vector<WarmOrder> take_warm_orders() { return std::exchange(warm_orders_, {}); }
  // Backends that changed in the last one.
  const std::vector<config::BackendHandle>& published_changes() const { return published_changes_; }

 private:
  // What happened to a server: plain data, because most changes are of this kind.
  struct ServerPlaced {
    BackendState* backend;
    // Null where it was added.
    base::Ref<const config::Server> before;
    // Null where it was removed.
    base::Ref<const config::Server> after;
    // As they were before.
    base::Ref<const Health> health;
    base::Ref<const Resolution> resolution;
  };
  using Undo = std::variant<ServerPlaced, absl::AnyInvocable<void()>>;

  void undo(ServerPlaced& placed);
  void undo(absl::AnyInvocable<void()>& undo) { undo(); }
  void place_server(BackendState& backend, const base::Ref<const config::Server>& before,
                    const base::Ref<const config::Server>& after, base::Ref<const Health> health,
                    base::Ref<const Resolution> resolution);
  static config::Uid first_discovered_uid();
  // In the digest and the log.
  void note_server(const BackendState& backend, const config::Server* before, const config::Server* after);
  void begin_slowly(BackendState& backend, const config::Server* before, Tiers::Standing standing_before,
                    const config::Server* after);
  // What a server's health is after a change of its record.
  base::Ref<const Health> health_after(const BackendState& backend, const config::Server* before,
                                       const config::Server* after);
  base::Ref<const Health> begin_check(Health::State state);
  base::Ref<const Health> following_after(const BackendState& backend, const config::Server* before,
                                          const config::Server& after);
  // Its servers begin to be checked, or are checked no more.
  void begin_checks(BackendState& backend);
  void end_checks(BackendState& backend);
  void forget_agents(BackendState& backend);
  void set_health(BackendState& backend, config::Slot slot, base::Ref<const Health> health);
  void place_listener(const base::Ref<const config::Listener>& before, const base::Ref<const config::Listener>& after);
  // A side of a change, in the digest and in the log. `canonical`: the resource's bytes.
  void note_before(RowLog::Entry& row, Digest::Kind kind, const config::Metadata& metadata,
                   const std::string& canonical, std::string_view bound = {});
  void note_after(RowLog::Entry& row, Digest::Kind kind, const config::Metadata& metadata, const std::string& canonical,
                  std::string_view bound = {});
  // Of a publication.
  void note_use(BackendState& backend, Tiers::Use use, config::BackendSnapshot& snapshot);
  void order_warming(BackendState& backend);
  void place_settings(BackendState& backend, base::Ref<const config::Backend> settings);
  void insert_backend(std::unique_ptr<BackendState> backend);
  std::unique_ptr<BackendState> extract_backend(BackendState& backend);
  void insert_departing(DepartingServer departing);
  void erase_departing(config::Uid uid);
  void release_gone_backend(BackendState& backend);

  void note_certificate(const base::Ref<const config::Certificate>& before,
                        const base::Ref<const config::Certificate>& after);

  const std::string zone_;
  const std::shared_ptr<const tls::Seal> seal_;
  config::Version version_ = 0;
  config::Uid last_uid_ = 0;
  config::Uid last_discovered_uid_ = first_discovered_uid();
  config::Revision revision_ = 0;
  uint64_t last_check_ = 0;
  Digest digest_;
  uint64_t members_ = 0;
  // Of these, who is no configuration.
  uint64_t discovered_ = 0;
  // Of members.
  AddressCounts addresses_;
  Trackers trackers_;
  Backends backends_;
  // Also deleted ones whose servers still drain.
  absl::flat_hash_map<config::Slot, BackendState*> backends_by_slot_;
  absl::flat_hash_map<config::Uid, std::unique_ptr<BackendState>> gone_backends_;
  Listeners listeners_;
  Certificates certificates_;
  absl::btree_map<config::Endpoint, std::string> bound_;
  Departing departing_;
  absl::flat_hash_map<config::Uid, DepartingKey> departing_keys_;
  SlotAllocator backend_slots_;
  SlotAllocator listener_slots_;
  std::vector<Undo> undo_;
  RowLog rows_;
  // Since the last commit().
  std::vector<config::Uid> removed_backends_;

  config::Snapshot working_;
  // Slots of backends that differ from `working_`.
  absl::flat_hash_set<config::Slot> changed_backends_;
  std::vector<config::BackendHandle> published_changes_;
  bool unpublished_health_ = false;
  bool is_beginning_ = false;
  std::vector<UseChange> use_changes_;
  std::vector<config::BackendHandle> unneeded_backups_;
  std::vector<WarmOrder> warm_orders_;
};

}  // namespace fairlead::store
