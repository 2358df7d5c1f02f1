// Where servers are that have names.
#include <algorithm>
#include <utility>

#include "config/validate.h"
#include "spdlog/spdlog.h"
#include "store/address_choice.h"
#include "store/writer.h"

namespace fairlead::store {

// So that who took requests before the process ended takes them when it accepts again. Nameservers that are slow make a
// start slow, but not for long.
void Writer::await_names() {
  is_starting_ = true;
  follow_discoveries();
  const auto deadline = std::chrono::steady_clock::now() + kNamesAtStart;
  size_t followed = 0;
  while (true) {
    // Servers that are found have names in their turn.
    for (; followed < effects_.effects.size(); ++followed) {
      if (const auto* follow = std::get_if<FollowName>(&effects_.effects[followed])) perform(FollowName(*follow));
    }
    apply_known_names();
    names_.send();
    if (names_.are_all_known() || std::chrono::steady_clock::now() >= deadline) break;
    for (Inbox::Task& task : inbox_->take_until(deadline)) task();
    take_name_facts();
  }
  is_starting_ = false;
}

void Writer::apply_known_names() {
  for (const auto& [handle, host] : std::exchange(followed_names_, {})) {
    BackendState* backend = model_.find_backend(handle);
    const NameFact* fact = names_.known(host);
    if (backend && fact) apply_fact(*fact, *backend);
  }
}

void Writer::take_name_facts() {
  for (NameFact& fact : std::exchange(name_facts_, {})) {
    std::string host = fact.name;
    if (!names_.take(std::move(fact))) continue;
    for (config::BackendHandle handle : names_.backends_with(host)) {
      BackendState* backend = model_.find_backend(handle);
      if (!backend) continue;
      const NameFact& known = *names_.known(host);
      if (config::is_service_question(host)) {
        apply_services(*backend);
      } else {
        apply_fact(known, *backend);
      }
    }
  }
}

void Writer::apply_fact(const NameFact& fact, BackendState& backend) {
  std::vector<NameHolder> holders;
  std::vector<const config::Server*> members;
  for (const config::Server* server : backend.by_name) {
    if (!server->address.is_name() || server->address.host() != fact.name) continue;
    members.push_back(server);
    base::Ref<const Resolution> resolution = backend.resolution_of(server->slot);
    NameHolder holder{.server = server->name, .address = std::nullopt, .port = server->address.port()};
    if (resolution) holder.address = resolution->address;
    holders.push_back(std::move(holder));
  }
  std::vector<std::optional<config::Endpoint>> chosen = choose_addresses(fact.addresses, fact.present, holders);
  for (size_t i = 0; i < members.size(); ++i) resolve(backend, *members[i], fact, chosen[i]);
}

void Writer::resolve(BackendState& backend, const config::Server& server, const NameFact& fact,
                     const std::optional<config::Endpoint>& address) {
  base::Ref<const Resolution> before = backend.resolution_of(server.slot);
  bool is_same = before ? before->address == address : false;
  if (is_same && before->reason == fact.reason) return;
  auto after = base::make_ref<Resolution>();
  after->address = address;
  after->reason = fact.reason;
  after->time = is_same ? before->time : std::chrono::system_clock::now();
  bool moves = before && before->address && !is_same;
  model_.note_resolution(backend, server.slot, base::Ref<const Resolution>(after));
  // What stands there now is not the one that was ejected.
  if (moves) perform(ForgetEjections{backend.handle(), server.slot, server.metadata.uid});
  // That a new name has no address is worth telling as well.
  if (is_same) return;
  config::Uid uid = server.metadata.uid;
  base::Ref<const Health> health = backend.health_of(server.slot);
  const config::Server& seen = *backend.adjusted_of(*backend.members.find(server.slot));
  v1::Lifecycle lifecycle = lifecycle_of(seen, drains_.is_drained(uid), health.get());
  if (health) checks_.follow(backend, server, names_.take_waiting(uid));
  ServerStep step{.backend = backend.settings->name, .name = server.name, .uid = uid, .lifecycle = lifecycle};
  step.resolved_address = address ? address->to_string() : "";
  step.resolution = fact.reason;
  spdlog::log(address ? spdlog::level::info : spdlog::level::warn, "name: {} is at {}: {}: {}",
              api::server_title(step.backend, step.name), address ? step.resolved_address : "no address", fact.name,
              fact.reason);
  add_step(std::move(step), lifecycle == v1::LIFECYCLE_READY ? names_.take_waiting(uid) : nullptr);
}

}  // namespace fairlead::store
