// Of the writer: servers that DNS names. Facts, as addresses are: they come and go between transactions, and in
// publications of the same version.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "api/failure.h"
#include "config/text.h"
#include "spdlog/spdlog.h"
#include "store/discovery.h"
#include "store/writer.h"

namespace fairlead::store {
namespace {

// So many that came or went at the same time have a line each.
constexpr size_t kNamedMax = 5;

base::Ref<config::Server> make_server(const Discovered& found, const config::Metadata& metadata) {
  auto server = base::make_ref<config::Server>();
  server->name = found.name;
  server->metadata = metadata;
  server->address = found.address;
  server->weight = found.weight;
  server->priority = found.priority & 0x7f;
  return server;
}

std::vector<base::Ref<const config::Server>> discovered_in(const BackendState& backend) {
  std::vector<base::Ref<const config::Server>> result;
  auto at = backend.by_name.lower_bound(std::string_view(&kDiscoveredMark, 1));
  for (; at != backend.by_name.end() && (*at)->is_discovered(); ++at) {
    result.push_back(*backend.members.find((*at)->slot));
  }
  return result;
}

void follow_check(const BackendState& backend, const config::Server& server, Effects& effects) {
  if (!backend.settings->health_check) return;
  effects.effects.push_back(FollowCheck{backend.handle(), server.slot, server.metadata.uid, nullptr});
}

}  // namespace

void Writer::follow_discoveries() {
  std::vector<FollowDiscovery> changed;
  for (const Effect& effect : effects_.effects) {
    if (const auto* follow = std::get_if<FollowDiscovery>(&effect)) changed.push_back(*follow);
  }
  for (const FollowDiscovery& follow : changed) {
    BackendState* backend = model_.find_backend(follow.backend);
    if (!backend) {
      names_.forget(follow.backend.uid);
      continue;
    }
    const std::optional<config::Discovery>& discovery = backend->settings->discovery;
    std::vector<std::string> questions = discovery ? discovery->questions() : std::vector<std::string>();
    names_.follow_all(follow.backend, follow.backend.uid, Names::Hosts(questions.begin(), questions.end()), nullptr);
    bool is_known = std::ranges::any_of(questions, [this](const auto& question) { return names_.known(question); });
    if (!discovery) {
      take_group(*backend, {});
      backend->discovery = nullptr;
    } else if (is_known) {
      apply_services(*backend);
    } else {
      // Those of the last names stay until there is an answer.
      note_discovery(*backend, "", /*moves=*/false);
    }
  }
}

// Names of which nothing is known yet list nobody.
void Writer::apply_services(BackendState& backend) {
  const config::Discovery& discovery = *backend.settings->discovery;
  std::vector<config::Service> services;
  std::string reason;
  for (const std::string& question : discovery.questions()) {
    const NameFact* fact = names_.known(question);
    if (fact) services.insert(services.end(), fact->services.begin(), fact->services.end());
    const std::string said = fact ? fact->reason : "not known yet";
    if (discovery.also.empty()) {
      reason = said;
    } else {
      reason += config::concat(reason.empty() ? "" : ", ", config::service_name(question), ": ", said);
    }
  }
  services = merge(std::move(services));
  std::vector<Discovered> group = discover(services, discovery.effective_max_servers());
  size_t wanted = group.size();
  GroupChange change = take_group(backend, std::move(group));
  size_t used = wanted - change.left_out;
  if (used < services.size()) reason += config::concat("; ", used, " of them are used");
  std::erase(keeping_last_group_, backend.handle());
  if (change.kept > 0) {
    keeping_last_group_.push_back(backend.handle());
    reason += config::concat("; ", change.kept, " of the last answer stay until one of these takes requests");
  }
  note_discovery(backend, std::move(reason), change.moved > 0);
}

void Writer::release_last_groups() {
  for (config::BackendHandle handle : std::exchange(keeping_last_group_, {})) {
    BackendState* backend = model_.find_backend(handle);
    if (backend && backend->settings->discovery) apply_services(*backend);
  }
}

auto Writer::take_group(BackendState& backend, std::vector<Discovered> group) -> GroupChange {
  absl::flat_hash_map<std::string, base::Ref<const config::Server>> left;
  for (base::Ref<const config::Server>& server : discovered_in(backend)) left.emplace(server->name, std::move(server));
  GroupChange change;
  std::vector<Discovered> fresh;
  std::vector<base::Ref<const config::Server>> stayed;
  for (Discovered& one : group) {
    auto known = left.extract(one.name);
    if (known.empty()) {
      fresh.push_back(std::move(one));
      continue;
    }
    stayed.push_back(known.mapped());
    if (known.mapped()->weight != config::SmallOptional<uint16_t>(one.weight) ||
        known.mapped()->priority != one.priority) {
      change_discovered(backend, known.mapped(), one);
    }
  }
  std::vector<base::Ref<const config::Server>> gone;
  for (const auto& [name, server] : left) gone.push_back(server);
  std::ranges::sort(gone, {}, [](const auto& server) -> const std::string& { return server->name; });
  // A group that is replaced as a whole would leave nobody until the new ones have addresses and were checked.
  auto takes_requests = [&](const auto& server) { return backend.taking_requests(server->slot) != nullptr; };
  const bool has_room = model_.servers() + fresh.size() <= limits_.servers;
  if (!group.empty() && has_room && std::ranges::none_of(stayed, takes_requests) &&
      std::ranges::any_of(gone, takes_requests)) {
    change.kept = gone.size();
  } else {
    for (const base::Ref<const config::Server>& server : gone) remove_discovered(backend, server, change.moved++);
  }
  // In the order of names, so that with the same group they have the same slots.
  std::ranges::sort(fresh, {}, &Discovered::name);
  for (const Discovered& one : fresh) {
    if (model_.servers() >= limits_.servers) {
      ++change.left_out;
    } else {
      add_discovered(backend, one, change.moved++);
    }
  }
  if (change.moved > kNamedMax) {
    spdlog::info("discovery: {}: {} more servers came or went", api::backend_title(backend.settings->name),
                 change.moved - kNamedMax);
  }
  return change;
}

void Writer::add_discovered(BackendState& backend, const Discovered& found, size_t place) {
  const config::WallTime now = std::chrono::system_clock::now();
  const config::Server& server =
      model_.add_discovered(backend, make_server(found, model_.discovered_metadata(now)), is_starting_);
  effects_.effects.push_back(FollowName{backend.handle(), server.slot, server.metadata.uid, nullptr});
  follow_check(backend, server, effects_);
  if (place < kNamedMax) {
    spdlog::info("discovery: {} is there: weight {}, priority {}",
                 api::server_title(backend.settings->name, server.name), found.weight, found.priority);
  }
  tell_discovered(backend, server, v1::LIFECYCLE_PENDING);
}

void Writer::change_discovered(BackendState& backend, const base::Ref<const config::Server>& before,
                               const Discovered& found) {
  config::Metadata metadata = before->metadata;
  metadata.update_time = std::chrono::system_clock::now();
  model_.change_discovered(backend, before, make_server(found, metadata));
  const base::Ref<const config::Server>& after = *backend.members.find(before->slot);
  base::Ref<const Health> health = backend.health_of(after->slot);
  follow_check(backend, *after, effects_);
  tell_discovered(backend, *after, lifecycle_of(*backend.adjusted_of(after), false, health.get()));
}

void Writer::remove_discovered(BackendState& backend, const base::Ref<const config::Server>& server, size_t place) {
  // What is known of its name may have ordered its check a moment ago: before that is stopped.
  checks_.send();
  config::Duration timeout = backend.settings->drain_timeout();
  model_.remove_discovered(backend, server,
                           {.record = server,
                            .backend = &backend,
                            .backend_name = backend.settings->name,
                            .handle = backend.handle(),
                            .timeout = timeout,
                            .jitter = std::min(backend.settings->drain_jitter(), timeout),
                            .deadline = std::chrono::system_clock::now() + timeout,
                            .origin = nullptr});
  effects_.effects.push_back(DrainDeparting{server->metadata.uid});
  if (place < kNamedMax) {
    spdlog::info("discovery: {} is no more", api::server_title(backend.settings->name, server->name));
  }
  tell_discovered(backend, *server, v1::LIFECYCLE_DRAINING);
}

void Writer::tell_discovered(const BackendState& backend, const config::Server& server, v1::Lifecycle lifecycle) {
  ServerStep step{
      .backend = backend.settings->name, .name = server.name, .uid = server.metadata.uid, .lifecycle = lifecycle};
  step.discovered_by = discovered_by(server, *backend.settings);
  add_step(std::move(step), nullptr);
}

void Writer::note_discovery(BackendState& backend, std::string reason, bool moves) {
  const base::Ref<const DiscoveryState> before = backend.discovery;
  if (before && before->reason == reason && !moves) return;
  auto state = base::make_ref<DiscoveryState>();
  if (before) state->time = before->time;
  if (moves) state->time = std::chrono::system_clock::now();
  state->reason = std::move(reason);
  if (!state->reason.empty() && (!before || before->reason != state->reason)) {
    spdlog::log(backend.discovered > 0 ? spdlog::level::info : spdlog::level::warn, "discovery: {}: {}: {}",
                api::backend_title(backend.settings->name), backend.settings->discovery->text(), state->reason);
  }
  backend.discovery = base::Ref<const DiscoveryState>(state);
  add_event(BackendStep{backend.settings->name, backend.use, DiscoveryView::of(backend.discovered, *state)}, nullptr);
}

}  // namespace fairlead::store
