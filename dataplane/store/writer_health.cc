// Of the writer: what checks have found, and who follows whom.
#include <algorithm>
#include <span>
#include <utility>

#include "api/failure.h"
#include "spdlog/spdlog.h"
#include "store/writer.h"

namespace fairlead::store {
namespace {

// So many that changed at the same time have a line each.
constexpr size_t kNamedMax = 5;

base::Ref<const Agent> make_agent(const config::AgentState& state, config::WallTime now) {
  auto agent = base::make_ref<Agent>();
  agent->state = state;
  agent->time = now;
  return base::Ref<const Agent>(agent);
}

// More than its words differ.
bool wants_other(const Agent* before, const config::AgentState& after) {
  config::AgentState known = before ? before->state : config::AgentState();
  known.said = after.said;
  known.problem = after.problem;
  return known != after;
}

// Of steps that checks have made: DOWN is what an operator looks for.
void write_health_lines(std::span<const Event> events) {
  size_t named = 0;
  for (const Event& event : events) {
    const auto& step = std::get<ServerStep>(event.what);
    if (named++ == kNamedMax) {
      spdlog::warn("health: {} more servers changed at the same time", events.size() - kNamedMax);
      return;
    }
    if (step.ejection) {
      spdlog::log(step.is_ejected ? spdlog::level::warn : spdlog::level::info, "outliers: {} {}: {}",
                  api::server_title(step.backend, step.name), step.is_ejected ? "is ejected" : "returns",
                  step.ejection->reason);
      continue;
    }
    bool is_down = step.health == v1::HEALTH_DOWN;
    spdlog::log(is_down ? spdlog::level::warn : spdlog::level::info, "health: {} is {}: {}",
                api::server_title(step.backend, step.name), v1::Health_Name(step.health).substr(7), step.reason);
  }
}

}  // namespace

void Writer::take_check_results() {
  if (check_results_.empty()) return;
  size_t first = effects_.events.size();
  for (const CheckResult& result : std::exchange(check_results_, {})) take(result);
  write_health_lines(std::span(effects_.events).subspan(first));
}

// Nothing where it is about a server, or a check, that is no more.
void Writer::take(const CheckResult& result) {
  if (result.ejection) return take_ejection(result);
  const config::Server* server = model_.find_member(result.backend, result.slot, result.server);
  if (!server) return;
  BackendState& backend = *model_.find_backend(result.backend);
  base::Ref<const Health> before = backend.health_of(result.slot);
  if (!before || before->check != result.check) return;
  if (result.agent && !backend.settings->health_check->agent) return;
  auto after = base::make_ref<Health>(*before);
  config::WallTime now = std::chrono::system_clock::now();
  if (result.agent) {
    after->agent = make_agent(*result.agent, now);
  } else {
    after->reason = result.reason;
    bool stays_pending = !result.is_up && before->is_pending();
    after->state = result.is_up ? Health::State::kUp : stays_pending ? Health::State::kPending : Health::State::kDown;
  }
  if (health_of(after.get()) != health_of(before.get())) after->time = now;
  bool is_news = result.agent && wants_other(before->agent.get(), *result.agent);
  std::string what = result.agent ? "agent: " + result.agent->said : result.reason;
  change_health(backend, result.slot, base::Ref<const Health>(after), std::move(what), is_news);
}

// Nothing where it is about a server, or settings, that are no more, or where so many are not ejected by now.
void Writer::take_ejection(const CheckResult& result) {
  const config::Server* server = model_.find_member(result.backend, result.slot, result.server);
  BackendState* backend = model_.find_backend(result.backend);
  if (!server || !backend || !backend->settings->outlier_detection) return;
  base::Ref<const Ejection> before = backend->ejection_of(*server);
  if (result.ejection->is_ejected == (before != nullptr)) return;
  auto ejection = base::make_ref<Ejection>();
  ejection->server = result.server;
  ejection->address = server->address;
  ejection->number = result.ejection->number;
  ejection->time = std::chrono::system_clock::now();
  ejection->until = ejection->time + result.ejection->time;
  ejection->reason = result.reason;
  if (result.ejection->is_ejected) {
    uint64_t allowed = backend->settings->outlier_detection->ejected_max(backend->would_take_requests());
    if (backend->count_ejected() + 1 > allowed) return;
  }
  ServerStep step{.backend = backend->settings->name,
                  .name = server->name,
                  .uid = result.server,
                  .lifecycle = lifecycle_of(*backend->adjusted_of(*backend->members.find(result.slot)),
                                            drains_.is_drained(result.server), backend->health_of(result.slot).get()),
                  .ejection = base::Ref<const Ejection>(ejection),
                  .is_ejected = result.ejection->is_ejected};
  model_.note_ejection(*backend, result.slot,
                       step.is_ejected ? base::Ref<const Ejection>(ejection) : base::Ref<const Ejection>());
  add_step(std::move(step), nullptr);
}

void Writer::follow_targets() {
  size_t first = effects_.events.size();
  while (true) {
    std::vector<Model::Following> due = model_.take_following(std::chrono::system_clock::now());
    if (due.empty()) break;
    for (Model::Following& one : due) {
      std::string what = one.health->reason;
      change_health(*one.backend, one.slot, std::move(one.health), std::move(what), /*is_news=*/false);
    }
  }
  write_health_lines(std::span(effects_.events).subspan(first));
}

void Writer::change_health(BackendState& backend, config::Slot slot, base::Ref<const Health> after, std::string what,
                           bool is_news) {
  const config::Server& server = **backend.members.find(slot);
  config::Uid uid = server.metadata.uid;
  base::Ref<const Health> before = backend.health_of(slot);
  v1::Health health = health_of(after.get());
  ServerStep step{.backend = backend.settings->name,
                  .name = server.name,
                  .uid = uid,
                  .lifecycle = lifecycle_of(*backend.adjusted_of(*backend.members.find(slot)), drains_.is_drained(uid),
                                            after.get()),
                  .health = health,
                  .reason = std::move(what)};
  bool is_ready = after->is_fit() && before->is_pending();
  bool leaves = before->is_fit() && after->is_down();
  if (leaves) {
    bool keeps = backend.settings->effective_on_marked_down() == config::OnMarkedDown::kKeep;
    effects_.effects.push_back(CloseConnections{backend.handle(), slot, uid, /*idle_only=*/keeps});
  }
  bool is_other = health != health_of(before.get());
  model_.note_health(backend, slot, std::move(after));
  if (is_other || is_news) add_step(std::move(step), is_ready ? checks_.take_waiting(uid) : nullptr);
}

}  // namespace fairlead::store
