// Of the model: servers that follow another's health.
#include <utility>

#include "config/text.h"
#include "store/model.h"

namespace fairlead::store {
namespace {

using State = Health::State;

// One that has never been in service has not left it.
State down_from(State own) { return own == State::kPending ? State::kPending : State::kDown; }

// What follows `target`, which is checked, and was in `own`.
State state_of_follower(const Health& target, State own) {
  if (target.is_down_by_agent()) return down_from(own);
  switch (target.state) {
    case State::kPending:
      // Not known yet: it goes on.
      return target.reason.empty() ? own : down_from(own);
    case State::kPresumed:
    case State::kUp:
      return target.state;
    case State::kDown:
      return down_from(own);
  }
  return own;
}

// Names the one that is checked, however many follow each other.
std::string reason_of_follower(const std::string& target, std::string reason) {
  if (reason.empty() || reason.starts_with("track ")) return reason;
  return config::concat("track ", target, ": ", reason);
}

// Of a member that follows the member `target`; the same as `own` where nothing is to be changed.
base::Ref<const Health> followed(const std::string& name, const config::Server& target, const Health* known,
                                 const base::Ref<const Health>& own, config::WallTime now) {
  auto after = base::make_ref<Health>(*own);
  if (target.admin_state == config::AdminState::kMaintenance) {
    after->state = down_from(own->state);
    after->reason = config::concat("track ", name, ": in MAINTENANCE");
  } else if (!known) {
    after->state = State::kPresumed;
    after->reason.clear();
  } else {
    after->state = state_of_follower(*known, own->state);
    bool is_unknown = known->state == State::kPending && known->reason.empty() && !known->is_down_by_agent();
    if (!is_unknown) after->reason = reason_of_follower(name, reason_of(*known));
  }
  if (after->state == own->state && after->reason == own->reason) return own;
  if (seen(after.get()) != seen(own.get())) after->time = now;
  return base::Ref<const Health>(after);
}

}  // namespace

const config::Server* Model::find_member(std::string_view name) const {
  size_t slash = name.find('/');
  if (slash == std::string_view::npos) return nullptr;
  const BackendState* backend = find_backend(name.substr(0, slash));
  return backend ? backend->by_name.find(name.substr(slash + 1)) : nullptr;
}

std::vector<Model::Following> Model::take_following(config::WallTime now) {
  std::vector<Following> result;
  for (const MemberPlace& place : trackers_.take_due()) {
    BackendState* follower = find_backend(place.backend);
    const base::Ref<const config::Server>* member = follower ? follower->members.find(place.slot) : nullptr;
    if (!member || !(*member)->tracks()) continue;
    base::Ref<const Health> own = follower->health_of(place.slot);
    if (!own) continue;
    const std::string& name = (*member)->extras->track;
    const config::Server* target = find_member(name);
    if (!target) continue;
    const BackendState* backend = find_backend(std::string_view(name).substr(0, name.find('/')));
    base::Ref<const Health> after = followed(name, *target, backend->health_of(target->slot).get(), own, now);
    if (!(after == own)) result.push_back({follower, place.slot, std::move(after)});
  }
  return result;
}

}  // namespace fairlead::store
