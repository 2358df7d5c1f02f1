// What the world says of servers: their health, ejections, and where their names lead.
#include <utility>

#include "base/check.h"
#include "store/model.h"

namespace fairlead::store {
namespace {

// Of a server of which nothing is known.
Health::State first_state(const config::HealthCheck& check) {
  bool begins_up = check.effective_initial_state() == config::InitialState::kUp || !check.has_check();
  return begins_up ? Health::State::kPresumed : Health::State::kPending;
}

}  // namespace

base::Ref<const Health> Model::begin_check(Health::State state) {
  auto health = base::make_ref<Health>();
  health->state = state;
  health->check = ++last_check_;
  return health;
}

base::Ref<const Health> Model::health_after(const BackendState& backend, const config::Server* before,
                                            const config::Server* after) {
  if (after && after->tracks()) return following_after(backend, before, *after);
  if (!backend.settings->health_check || !after || !backend.settings->checks(*after)) return nullptr;
  // One that is the same, as far as its health goes, keeps what is known of it.
  bool was_checked = before && backend.settings->checks(*before);
  if (was_checked && before->address == after->address) return backend.health_of(after->slot);
  // One that took requests unchecked goes on to; where there is only an agent, it has to say otherwise.
  bool was_in_service = before && !was_checked && before->admin_state != config::AdminState::kMaintenance &&
                        before->address == after->address && backend.standing_of(before->slot) == Tiers::Standing::kFit;
  return begin_check(was_in_service ? Health::State::kPresumed : first_state(*backend.settings->health_check));
}

// Its target says more, when the transaction has changed all that it changes.
base::Ref<const Health> Model::following_after(const BackendState& backend, const config::Server* before,
                                               const config::Server& after) {
  if (after.admin_state == config::AdminState::kMaintenance) return nullptr;
  if (before && before->tracks()) {
    if (base::Ref<const Health> health = backend.health_of(after.slot)) return health;
  }
  bool was_in_service = before && before->admin_state != config::AdminState::kMaintenance &&
                        backend.standing_of(before->slot) == Tiers::Standing::kFit;
  return begin_check(was_in_service ? Health::State::kPresumed : Health::State::kPending);
}

void Model::set_health(BackendState& backend, config::Slot slot, base::Ref<const Health> health) {
  base::Ref<const config::Server> server = *backend.members.find(slot);
  backend.place(server, server, std::move(health), backend.resolution_of(slot));
  trackers_.note(backend.settings->name, server->name);
  changed_backends_.insert(backend.settings->slot);
}

void Model::begin_checks(BackendState& backend) {
  Members members = backend.members;
  members.for_each([&](config::Slot slot, const base::Ref<const config::Server>& server) {
    if (!backend.settings->checks(*server)) return;
    set_health(backend, slot,
               begin_check(backend.has_address(server) ? Health::State::kPresumed
                                                       : first_state(*backend.settings->health_check)));
  });
}

void Model::end_checks(BackendState& backend) {
  HealthBySlot all = backend.health;
  all.for_each([&](config::Slot slot, const base::Ref<const Health>&) {
    if (!(*backend.members.find(slot))->tracks()) set_health(backend, slot, nullptr);
  });
}

void Model::forget_agents(BackendState& backend) {
  HealthBySlot all = backend.health;
  all.for_each([&](config::Slot slot, const base::Ref<const Health>& health) {
    if (!health->agent) return;
    auto without = base::make_ref<Health>(*health);
    without->agent = nullptr;
    set_health(backend, slot, base::Ref<const Health>(without));
  });
}

void Model::note_health(BackendState& backend, config::Slot slot, base::Ref<const Health> health) {
  FAIRLEAD_CHECK(undo_.empty());
  base::Ref<const config::Server> server = *backend.members.find(slot);
  Tiers::Standing standing_before = backend.standing_of(slot);
  base::Ref<const config::Server> kept_before = backend.kept_of(server);
  base::Ref<const config::Server> adjusted_before = backend.adjusted_of(server);
  if (seen(health.get()) == SeenHealth::kDown) backend.starters.set_was_there(slot, false);
  backend.place(server, server, std::move(health), backend.resolution_of(slot));
  trackers_.note(backend.settings->name, server->name);
  // Why it is down is nothing that workers see; a weight is in the tables of keys also while it is down.
  bool is_seen = backend.standing_of(slot) != standing_before || backend.kept_of(server) != kept_before ||
                 backend.adjusted_of(server) != adjusted_before;
  if (!is_seen) return;
  begin_slowly(backend, server.get(), standing_before, server.get());
  changed_backends_.insert(backend.settings->slot);
  unpublished_health_ = true;
}

void Model::note_ejection(BackendState& backend, config::Slot slot, base::Ref<const Ejection> ejection) {
  FAIRLEAD_CHECK(undo_.empty());
  const base::Ref<const config::Server>* member = backend.members.find(slot);
  Tiers::Standing standing_before = backend.standing_of(slot);
  base::Ref<const config::Server> kept_before = member ? backend.kept_of(*member) : nullptr;
  backend.set_ejection(slot, std::move(ejection));
  if (!member) return;
  // One that is picked by nobody, as its agent wants, may still have clients that come back.
  bool is_seen = backend.standing_of(slot) != standing_before || backend.kept_of(*member) != kept_before;
  if (!is_seen) return;
  begin_slowly(backend, member->get(), standing_before, member->get());
  changed_backends_.insert(backend.settings->slot);
  unpublished_health_ = true;
}

void Model::note_resolution(BackendState& backend, config::Slot slot, base::Ref<const Resolution> resolution) {
  FAIRLEAD_CHECK(undo_.empty());
  base::Ref<const config::Server> server = *backend.members.find(slot);
  base::Ref<const Resolution> before = backend.resolution_of(slot);
  bool had_address = before && before->address;
  bool is_same = had_address ? resolution->address == before->address : !resolution->address;
  base::Ref<const Health> health = backend.health_of(slot);
  // Of another machine nothing is known, but by who follows another server. One that had no address yet is as it was
  // added.
  bool is_asked = health && !server->tracks();
  if (is_asked && had_address && !is_same) health = begin_check(first_state(*backend.settings->health_check));
  bool moves = had_address && !is_same;
  Tiers::Standing standing_before = moves ? Tiers::Standing::kAway : backend.standing_of(slot);
  backend.place(server, server, std::move(health), std::move(resolution));
  trackers_.note(backend.settings->name, server->name);
  if (is_same) return;
  begin_slowly(backend, server.get(), standing_before, server.get());
  changed_backends_.insert(backend.settings->slot);
  unpublished_health_ = true;
}

void Model::forget_ejections(BackendState& backend) {
  EjectionBySlot all = backend.ejections;
  all.for_each([&](config::Slot slot, const auto&) { note_ejection(backend, slot, nullptr); });
}

}  // namespace fairlead::store
