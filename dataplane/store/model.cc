#include "store/model.h"

#include <utility>

#include "api/canonical.h"
#include "base/check.h"
#include "store/rows.h"

namespace fairlead::store {
namespace {

// More than there can be servers: what is said to be beyond was never given.
constexpr config::Slot kSlotsMax = 1 << 24;

// Of a member that has changed in place; null where it has another name, or none.
base::Ref<const Resolution> resolution_after(const base::Ref<const Resolution>& resolution,
                                             const config::Server& before, const config::Server& after) {
  return before.address == after.address ? resolution : nullptr;
}

}  // namespace

BackendState* Model::find_backend(std::string_view name) const {
  auto at = backends_.find(name);
  return at == backends_.end() ? nullptr : at->second.get();
}

BackendState* Model::find_backend(config::BackendHandle handle) const {
  auto at = backends_by_slot_.find(handle.slot);
  bool is_there =
      at != backends_by_slot_.end() && at->second->handle() == handle && !gone_backends_.contains(handle.uid);
  return is_there ? at->second : nullptr;
}

const config::Listener* Model::find_listener(std::string_view name) const {
  auto at = listeners_.find(name);
  return at == listeners_.end() ? nullptr : at->second.get();
}

const BackendState* Model::find_backend_at(config::Slot slot) const {
  auto at = backends_by_slot_.find(slot);
  return at == backends_by_slot_.end() ? nullptr : at->second;
}

DepartingServer* Model::find_departing(config::Uid uid) {
  auto key = departing_keys_.find(uid);
  return key == departing_keys_.end() ? nullptr : &departing_.find(key->second)->second;
}

const config::Server* Model::find_member(config::BackendHandle backend, config::Slot slot, config::Uid uid) const {
  auto state = backends_by_slot_.find(backend.slot);
  if (state == backends_by_slot_.end() || state->second->handle() != backend) return nullptr;
  const base::Ref<const config::Server>* server = state->second->members.find(slot);
  return server && (*server)->metadata.uid == uid ? server->get() : nullptr;
}

const std::string* Model::bound_at(const config::Endpoint& address) const {
  auto at = bound_.find(address);
  return at == bound_.end() ? nullptr : &at->second;
}

const std::string* Model::competitor_at(const config::Endpoint& address,
                                        absl::FunctionRef<bool(const std::string&)> counts) const {
  auto if_it_counts = [&](const std::string* name) { return name && counts(*name) ? name : nullptr; };
  if (const std::string* other = if_it_counts(bound_at(address))) return other;
  if (address.is_unix()) return nullptr;
  if (!address.is_unspecified()) return if_it_counts(bound_at(address.unspecified()));
  for (const auto& [bound, name] : bound_) {
    if (config::overlap(bound, address) && counts(name)) return &name;
  }
  return nullptr;
}

const std::string* Model::listener_at(const config::Endpoint& address) const {
  const std::string* listener = bound_at(address);
  if (listener || !address.is_loopback()) return listener;
  // As config::arrives_at(): what is bound to all addresses is reached through loopback.
  return bound_at(address.unspecified());
}

size_t Model::mark() const {
  FAIRLEAD_CHECK(rows_.entries().empty() || rows_.entries().back().position < undo_.size());
  return undo_.size();
}

void Model::set_version(config::Version version) {
  on_roll_back([this, before = version_] { version_ = before; });
  version_ = version;
}

void Model::place_server(BackendState& backend, const base::Ref<const config::Server>& before,
                         const base::Ref<const config::Server>& after, base::Ref<const Health> health,
                         base::Ref<const Resolution> resolution) {
  // The key is in the record, so it changes with the record.
  if (before) backend.by_name.erase(*before);
  if (after) backend.by_name.insert(*after);
  backend.place(before, after, std::move(health), std::move(resolution));
  if (before) addresses_.remove(before->address);
  if (after) addresses_.add(after->address);
  MemberPlace place{backend.handle(), after ? after->slot : before->slot};
  if (before && before->tracks()) trackers_.remove(before->extras->track, place);
  if (after && after->tracks()) trackers_.add(after->extras->track, place);
  trackers_.note(backend.settings->name, after ? after->name : before->name);
  bool is_discovered = (after ? after : before)->is_discovered();
  if (!is_discovered) note_server(backend, before.get(), after.get());
  uint64_t change = (after ? 1 : 0) - (before ? 1 : 0);
  members_ += change;
  if (is_discovered) discovered_ += change;
  changed_backends_.insert(backend.settings->slot);
}

void Model::note_server(const BackendState& backend, const config::Server* before, const config::Server* after) {
  const config::Backend& settings = *backend.settings;
  RowLog::Entry& row = rows_.begin(journal::Kind::kServer, settings.metadata.uid, undo_.size());
  // It keeps its slot, and its keys, when the data plane starts again.
  std::string slot_text = bound_to_slot(after ? after->slot : before->slot);
  if (before)
    note_before(row, Digest::Kind::kServer, before->metadata, api::canonical(*before, settings.name), slot_text);
  if (after) note_after(row, Digest::Kind::kServer, after->metadata, api::canonical(*after, settings.name), slot_text);
  if (!before) rows_.name(row, settings.name, after->name);
}

void Model::note_before(RowLog::Entry& row, Digest::Kind kind, const config::Metadata& metadata,
                        const std::string& canonical, std::string_view bound) {
  digest_.remove(Digest::hash(kind, canonical));
  rows_.note(row.before, metadata, canonical, bound);
}

void Model::note_after(RowLog::Entry& row, Digest::Kind kind, const config::Metadata& metadata,
                       const std::string& canonical, std::string_view bound) {
  digest_.add(Digest::hash(kind, canonical));
  rows_.note(row.after, metadata, canonical, bound);
}

void Model::add_server(BackendState& backend, base::Ref<config::Server> server) {
  server->slot = backend.slots.take();
  base::Ref<const config::Server> added = std::move(server);
  place_server(backend, nullptr, added, health_after(backend, nullptr, added.get()), nullptr);
  begin_slowly(backend, nullptr, Tiers::Standing::kAway, added.get());
  undo_.emplace_back(ServerPlaced{&backend, nullptr, std::move(added), nullptr, nullptr});
}

void Model::replace_server(BackendState& backend, base::Ref<const config::Server> before,
                           base::Ref<const config::Server> after) {
  base::Ref<const Health> health = backend.health_of(after->slot);
  base::Ref<const Resolution> resolution = backend.resolution_of(after->slot);
  Tiers::Standing standing_before = backend.standing_of(after->slot);
  place_server(backend, before, after, health_after(backend, before.get(), after.get()),
               resolution_after(resolution, *before, *after));
  begin_slowly(backend, before.get(), standing_before, after.get());
  undo_.emplace_back(
      ServerPlaced{&backend, std::move(before), std::move(after), std::move(health), std::move(resolution)});
}

void Model::remove_server(BackendState& backend, base::Ref<const config::Server> server, DepartingServer departing) {
  base::Ref<const Health> health = backend.health_of(server->slot);
  base::Ref<const Resolution> resolution = backend.resolution_of(server->slot);
  place_server(backend, server, nullptr, nullptr, nullptr);
  insert_departing(std::move(departing));
  undo_.emplace_back(ServerPlaced{&backend, std::move(server), nullptr, std::move(health), std::move(resolution)});
}

// What is undone with a transaction leaves its beginning here: of a server that takes nothing it means nothing.
void Model::begin_slowly(BackendState& backend, const config::Server* before, Tiers::Standing standing_before,
                         const config::Server* after) {
  if (!before) {
    const bool was_there = is_beginning_ && after->admin_state != config::AdminState::kMaintenance;
    backend.starters.set_was_there(after->slot, was_there);
  }
  bool takes = after->takes_requests() && backend.standing_of(after->slot) == Tiers::Standing::kFit;
  if (!takes) return;
  bool was_away =
      !before || standing_before != Tiers::Standing::kFit || before->admin_state == config::AdminState::kMaintenance;
  if (!was_away) return;
  const bool is_first = standing_before == Tiers::Standing::kAway && backend.starters.take_was_there(after->slot);
  if (!is_first) backend.starters.begin(after->slot);
}

void Model::undo(ServerPlaced& placed) {
  if (!placed.after) erase_departing(placed.before->metadata.uid);
  place_server(*placed.backend, placed.after, placed.before, std::move(placed.health), std::move(placed.resolution));
  if (!placed.before) placed.backend->slots.release(placed.after->slot);
}

void Model::insert_departing(DepartingServer departing) {
  ++departing.backend->departing;
  DepartingKey key{departing.backend_name, departing.record->name, departing.record->metadata.uid};
  departing_keys_.emplace(key.uid, key);
  departing_.emplace(std::move(key), std::move(departing));
}

void Model::erase_departing(config::Uid uid) {
  auto key = departing_keys_.find(uid);
  FAIRLEAD_CHECK(key != departing_keys_.end());
  auto at = departing_.find(key->second);
  --at->second.backend->departing;
  departing_.erase(at);
  departing_keys_.erase(key);
}

void Model::release_departed(config::Uid uid) {
  FAIRLEAD_CHECK(undo_.empty());
  DepartingServer* departing = find_departing(uid);
  FAIRLEAD_CHECK(departing != nullptr);
  BackendState& backend = *departing->backend;
  backend.slots.release(departing->record->slot);
  erase_departing(uid);
  release_gone_backend(backend);
}

void Model::commit() {
  undo_.clear();
  rows_.clear();
  for (config::Uid uid : std::exchange(removed_backends_, {})) release_gone_backend(*gone_backends_.at(uid));
}

// A deleted backend keeps its slot until its last server is gone, so that handles of drains stay unique.
void Model::release_gone_backend(BackendState& backend) {
  config::Uid uid = backend.settings->metadata.uid;
  if (backend.departing > 0 || !gone_backends_.contains(uid)) return;
  backends_by_slot_.erase(backend.settings->slot);
  backend_slots_.release(backend.settings->slot);
  gone_backends_.erase(uid);
}

config::Slot Model::take_backend_slot() {
  config::Slot slot = backend_slots_.take();
  on_roll_back([this, slot] { backend_slots_.release(slot); });
  return slot;
}

config::Slot Model::take_listener_slot() {
  config::Slot slot = listener_slots_.take();
  on_roll_back([this, slot] { listener_slots_.release(slot); });
  return slot;
}

void Model::insert_backend(std::unique_ptr<BackendState> backend) {
  changed_backends_.insert(backend->settings->slot);
  const config::Backend& settings = *backend->settings;
  RowLog::Entry& row = rows_.begin(journal::Kind::kBackend, 0, undo_.size());
  note_after(row, Digest::Kind::kBackend, settings.metadata, api::canonical(settings));
  rows_.name(row, settings.name);
  backends_by_slot_[backend->settings->slot] = backend.get();
  std::string name = backend->settings->name;
  backends_.emplace(std::move(name), std::move(backend));
}

std::unique_ptr<BackendState> Model::extract_backend(BackendState& backend) {
  changed_backends_.insert(backend.settings->slot);
  RowLog::Entry& row = rows_.begin(journal::Kind::kBackend, 0, undo_.size());
  note_before(row, Digest::Kind::kBackend, backend.settings->metadata, api::canonical(*backend.settings));
  auto at = backends_.find(backend.settings->name);
  std::unique_ptr<BackendState> extracted = std::move(at->second);
  backends_.erase(at);
  return extracted;
}

void Model::add_backend(base::Ref<config::Backend> backend) {
  backend->slot = take_backend_slot();
  auto state = std::make_unique<BackendState>();
  state->take_settings(std::move(backend), zone_);
  BackendState* added = state.get();
  insert_backend(std::move(state));
  on_roll_back([this, added] {
    backends_by_slot_.erase(added->settings->slot);
    extract_backend(*added);
  });
}

void Model::replace_backend(BackendState& backend, base::Ref<const config::Backend> after) {
  const std::optional<config::HealthCheck>& former = backend.settings->health_check;
  const std::optional<config::HealthCheck>& next = after->health_check;
  bool ends = former && (!next || former->has_check() != next->has_check());
  bool begins = next && (!former || former->has_check() != next->has_check());
  bool loses_agents = former && former->agent && (!next || !next->agent);
  auto undo = [this, &backend, before = backend.settings, health = backend.health] {
    place_settings(backend, before);
    HealthBySlot now = backend.health;
    now.for_each([&](config::Slot slot, const auto&) {
      if (!health.find(slot)) set_health(backend, slot, nullptr);
    });
    health.for_each([&](config::Slot slot, const base::Ref<const Health>& record) {
      const base::Ref<const Health>* there = now.find(slot);
      if (!there || !(*there == record)) set_health(backend, slot, record);
    });
  };
  if (ends) end_checks(backend);
  if (!ends && loses_agents) forget_agents(backend);
  place_settings(backend, std::move(after));
  if (begins) begin_checks(backend);
  on_roll_back(std::move(undo));
}

void Model::place_settings(BackendState& backend, base::Ref<const config::Backend> settings) {
  changed_backends_.insert(settings->slot);
  RowLog::Entry& row = rows_.begin(journal::Kind::kBackend, 0, undo_.size());
  note_before(row, Digest::Kind::kBackend, backend.settings->metadata, api::canonical(*backend.settings));
  note_after(row, Digest::Kind::kBackend, settings->metadata, api::canonical(*settings));
  // Whether there are ejections is the settings' to say.
  EjectionBySlot ejections = backend.ejections;
  ejections.for_each([&](config::Slot slot, const auto&) { backend.set_ejection(slot, nullptr); });
  backend.take_settings(std::move(settings), zone_);
  ejections.for_each([&](config::Slot slot, const auto& ejection) { backend.set_ejection(slot, ejection); });
  // What agents want in percent may be of the default.
  Members adjusted = backend.adjusted;
  adjusted.for_each([&](config::Slot slot, const auto&) { set_health(backend, slot, backend.health_of(slot)); });
}

void Model::remove_backend(BackendState& backend) {
  FAIRLEAD_CHECK(backend.by_name.empty());
  config::Uid uid = backend.settings->metadata.uid;
  gone_backends_[uid] = extract_backend(backend);
  removed_backends_.push_back(uid);
  on_roll_back([this, uid] {
    removed_backends_.pop_back();
    auto at = gone_backends_.find(uid);
    std::unique_ptr<BackendState> restored = std::move(at->second);
    gone_backends_.erase(at);
    insert_backend(std::move(restored));
  });
}

void Model::place_listener(const base::Ref<const config::Listener>& before,
                           const base::Ref<const config::Listener>& after) {
  RowLog::Entry& row = rows_.begin(journal::Kind::kListener, 0, undo_.size());
  if (before) {
    // Within a transaction another one may have taken it over already.
    for (const config::Endpoint& endpoint : before->bound) {
      auto at = bound_.find(endpoint);
      if (at != bound_.end() && at->second == before->name) bound_.erase(at);
    }
    listeners_.erase(before->name);
    note_before(row, Digest::Kind::kListener, before->metadata, api::canonical(*before), bound_to_lines(before->bound));
    working_.listeners.erase(before->slot);
  }
  if (after) {
    for (const config::Endpoint& endpoint : after->bound) bound_.insert_or_assign(endpoint, after->name);
    listeners_.emplace(after->name, after);
    note_after(row, Digest::Kind::kListener, after->metadata, api::canonical(*after), bound_to_lines(after->bound));
    working_.listeners.set(after->slot, after);
  }
  if (!before) rows_.name(row, after->name);
}

void Model::add_listener(base::Ref<config::Listener> listener) {
  replace_listener(nullptr, base::Ref<const config::Listener>(listener));
}

void Model::replace_listener(base::Ref<const config::Listener> before, base::Ref<const config::Listener> after) {
  place_listener(before, after);
  on_roll_back([this, before, after] { place_listener(after, before); });
}

void Model::remove_listener(base::Ref<const config::Listener> listener) {
  replace_listener(listener, nullptr);
  listener_slots_.release(listener->slot);
  on_roll_back([this, slot = listener->slot] { listener_slots_.take_exactly(slot); });
}

void Model::roll_back(size_t mark) {
  while (undo_.size() > mark) {
    // It may be what holds on to a record: it goes after its work is done.
    std::visit([this](auto& what) { undo(what); }, undo_.back());
    undo_.pop_back();
  }
  rows_.roll_back(mark);
}

void Model::restore_counters(config::Version version, config::Uid last_uid, const Digest& digest) {
  version_ = version;
  last_uid_ = last_uid;
  digest_ = digest;
}

void Model::restore_backend(base::Ref<config::Backend> backend) {
  backend->slot = backend_slots_.take();
  auto state = std::make_unique<BackendState>();
  state->take_settings(std::move(backend), zone_);
  changed_backends_.insert(state->settings->slot);
  backends_by_slot_[state->settings->slot] = state.get();
  std::string name = state->settings->name;
  backends_.emplace(std::move(name), std::move(state));
}

void Model::restore_server(BackendState& backend, base::Ref<config::Server> server,
                           std::optional<config::Slot> wanted) {
  bool has_wanted = wanted && *wanted < kSlotsMax && backend.slots.try_take(*wanted);
  server->slot = has_wanted ? *wanted : backend.slots.take();
  base::Ref<const config::Server> added = std::move(server);
  backend.by_name.append(*added);
  addresses_.add(added->address);
  // It was in service before the last process ended, as far as anybody knows.
  if (added->tracks()) trackers_.add(added->extras->track, {backend.handle(), added->slot});
  bool is_checked =
      backend.settings->checks(*added) || (added->tracks() && added->admin_state != config::AdminState::kMaintenance);
  backend.place(nullptr, added, is_checked ? begin_check(Health::State::kPresumed) : nullptr, nullptr);
  ++members_;
}

void Model::restore_listener(base::Ref<config::Listener> listener) {
  listener->slot = listener_slots_.take();
  base::Ref<const config::Listener> added = std::move(listener);
  for (const config::Endpoint& endpoint : added->bound) bound_.emplace(endpoint, added->name);
  listeners_.emplace(added->name, added);
  working_.listeners.set(added->slot, added);
}

void Model::note_use(BackendState& backend, Tiers::Use use, config::BackendSnapshot& snapshot) {
  snapshot.panic = use.panic;
  snapshot.on_backups = use.on_backups;
  snapshot.discovered = backend.discovered;
  if (use != std::exchange(backend.use, use)) use_changes_.push_back({backend.settings->name, use});
  backend.were_on_backups |= use.on_backups;
  bool others_serve = snapshot.eligible.size() > 0 && snapshot.rank != config::kBackupRank && use == Tiers::Use();
  if (!backend.were_on_backups || !others_serve) return;
  backend.were_on_backups = false;
  unneeded_backups_.push_back(backend.handle());
}

void Model::order_warming(BackendState& backend) {
  uint32_t wanted = backend.settings->pool.effective_warm();
  backend.newcomers.take([&](config::Slot slot) { return backend.taking_requests(slot); },
                         [&](const config::Server& server) {
                           uint32_t most = backend.settings->max_connections_of(server);
                           uint32_t connections = most > 0 ? std::min(wanted, most) : wanted;
                           if (connections > 0)
                             warm_orders_.push_back({backend.handle(), server.slot, server.metadata.uid, connections});
                         });
}

base::Ref<const config::Snapshot> Model::make_snapshot() {
  ++revision_;
  published_changes_.clear();
  for (config::Slot slot : changed_backends_) {
    auto at = backends_by_slot_.find(slot);
    bool present = at != backends_by_slot_.end() && !gone_backends_.contains(at->second->settings->metadata.uid);
    if (!present) {
      working_.backends.erase(slot);
      continue;
    }
    published_changes_.push_back(at->second->handle());
    auto backend = base::make_ref<config::BackendSnapshot>();
    backend->revision = revision_;
    backend->settings = at->second->settings;
    Tiers::Use use = at->second->tiers.put_into(*backend);
    note_use(*at->second, use, *backend);
    order_warming(*at->second);
    at->second->starters.put_into(*backend);
    at->second->hash_tables.put_into(*backend);
    at->second->persistence.put_into(*backend);
    backend->counts_in_flight = config::has_to_count(*backend->settings, at->second->own_limits);
    backend->counts_total = config::has_to_count_total(*backend->settings, at->second->own_limits);
    const config::BackendSnapshot* former = working_.find(at->second->handle());
    bool begins = former && ((backend->counts_in_flight && !former->counts_in_flight) ||
                             (backend->counts_total && !former->counts_total));
    if (begins) working_.counting_since = revision_;
    working_.backends.set(slot, base::Ref<const config::BackendSnapshot>(backend));
  }
  changed_backends_.clear();
  unpublished_health_ = false;
  working_.version = version_;
  working_.revision = revision_;
  return base::Ref<const config::Snapshot>(new config::Snapshot(working_));
}

}  // namespace fairlead::store
