#include "sim_world/configuration.h"

#include <set>

#include "config/compile_routes.h"

namespace fairlead::sim {

using base::make_ref;
using base::Ref;
using config::Slot;

namespace {

// The lowest that none of these has.
template <typename Records>
Slot free_slot(const Records& slots) {
  Slot slot = 0;
  while (slots.contains(slot)) ++slot;
  return slot;
}

// Anew, and for all servers: what the store keeps step by step.
void add_persistence(config::BackendSnapshot& backend, const Ref<const config::Server>& server, bool is_fit) {
  if (!backend.settings->persistence) return;
  const std::optional<config::CookiePersistence>& cookie = backend.settings->persistence->cookie;
  if (cookie) {
    config::CookieValue value = config::cookie_value(cookie->key, backend.settings->name, server->name);
    backend.persistence.put_value(value, server->slot);
  }
  if (is_fit && server->admin_state != config::AdminState::kMaintenance) backend.persistence.put(server);
}

// All of them, whatever the type: only one is looked at.
void make_tables(config::BackendSnapshot& backend) {
  auto candidates = config::hash_candidates(backend.assigned, backend.settings->effective_default_weight());
  backend.ring = Ref<const config::HashRing>(new config::HashRing(candidates));
  backend.maglev = Ref<const config::MaglevTable>(
      new config::MaglevTable(candidates, backend.settings->hash.effective_table_size()));
}

}  // namespace

void Configuration::set_backend(const std::string& name, const config::Backend& settings) {
  auto record = make_ref<config::Backend>(settings);
  record->name = name;
  auto existing = backends_.find(name);
  if (existing != backends_.end()) {
    record->slot = existing->second.settings->slot;
    record->metadata = existing->second.settings->metadata;
  } else {
    std::set<Slot> taken;
    for (auto& [other, state] : backends_) taken.insert(state.settings->slot);
    record->slot = free_slot(taken);
    record->metadata.uid = ++last_uid_;
  }
  backends_[name].settings = record;
  backends_[name].eligible.keep_by_age(config::goes_by_age(record->effective_algorithm()));
}

void Configuration::delete_backend(const std::string& name) { backends_.erase(name); }

void Configuration::replace_server(const std::string& backend, Ref<config::Server> after) {
  BackendState& state = backends_.at(backend);
  if (!state.unfit.contains(after->metadata.uid)) state.eligible.upsert(after);
  state.servers[after->name] = after;
}

void Configuration::add_server(const std::string& backend, const std::string& name, const config::Endpoint& address) {
  std::set<Slot> taken;
  for (auto& [other, record] : backends_.at(backend).servers) taken.insert(record->slot);
  auto record = make_ref<config::Server>();
  record->name = name;
  record->slot = free_slot(taken);
  record->metadata.uid = ++last_uid_;
  record->address = address;
  replace_server(backend, record);
}

Ref<config::Server> Configuration::copy_server(const std::string& backend, const std::string& name) const {
  return make_ref<config::Server>(*server(backend, name));
}

void Configuration::set_weight(const std::string& backend, const std::string& name, std::optional<uint16_t> weight) {
  auto record = copy_server(backend, name);
  record->weight = weight;
  replace_server(backend, record);
}

void Configuration::set_max_connections(const std::string& backend, const std::string& name,
                                        std::optional<uint32_t> limit) {
  auto record = copy_server(backend, name);
  record->max_connections = limit;
  replace_server(backend, record);
}

void Configuration::set_min_connections(const std::string& backend, const std::string& name, uint32_t least) {
  auto record = copy_server(backend, name);
  auto extras = make_ref<config::ServerExtras>();
  extras->min_connections = least;
  record->extras = extras;
  replace_server(backend, record);
}

void Configuration::set_admin_state(const std::string& backend, const std::string& name, config::AdminState state) {
  auto record = copy_server(backend, name);
  record->admin_state = state;
  replace_server(backend, record);
}

void Configuration::begin_slowly(const std::string& backend, const std::string& name, config::Duration since) {
  backends_.at(backend).starting[server(backend, name)->slot] = since;
}

void Configuration::set_fit(const std::string& backend, const std::string& name, bool fit) {
  BackendState& state = backends_.at(backend);
  const Ref<const config::Server>& record = state.servers.at(name);
  if (fit && state.unfit.erase(record->metadata.uid) > 0) state.eligible.upsert(record);
  if (!fit && state.unfit.insert(record->metadata.uid).second) state.eligible.erase(*record);
}

Ref<const config::Server> Configuration::delete_server(const std::string& backend, const std::string& name) {
  BackendState& state = backends_.at(backend);
  Ref<const config::Server> record = state.servers.at(name);
  state.eligible.erase(*record);
  state.servers.erase(name);
  return record;
}

Ref<const config::Listener> Configuration::set_listener(const std::string& name, const config::Listener& settings) {
  auto record = make_ref<config::Listener>(settings);
  record->name = name;
  auto existing = listeners_.find(name);
  if (existing != listeners_.end()) {
    record->slot = existing->second->slot;
    record->metadata = existing->second->metadata;
  } else {
    std::set<Slot> taken;
    for (auto& [other, listener] : listeners_) taken.insert(listener->slot);
    record->slot = free_slot(taken);
    record->metadata.uid = ++last_uid_;
  }
  auto lookup = [this](std::string_view wanted) { return backend(std::string(wanted)); };
  record->route_table = config::compile_routes(record->routes, record->default_backend, lookup);
  listeners_[name] = record;
  return record;
}

void Configuration::delete_listener(const std::string& name) { listeners_.erase(name); }

config::BackendHandle Configuration::backend(const std::string& name) const {
  auto found = backends_.find(name);
  if (found == backends_.end()) return {};
  return {found->second.settings->slot, found->second.settings->metadata.uid};
}

Ref<const config::Server> Configuration::server(const std::string& backend, const std::string& name) const {
  return backends_.at(backend).servers.at(name);
}

std::string Configuration::name_of(const std::string& backend, config::Uid server) const {
  for (const auto& [name, record] : backends_.at(backend).servers) {
    if (record->metadata.uid == server) return name;
  }
  return "";
}

Ref<const config::Snapshot> Configuration::snapshot() {
  auto snapshot = make_ref<config::Snapshot>();
  snapshot->version = ++last_version_;
  snapshot->revision = snapshot->version;
  for (auto& [name, state] : backends_) {
    auto backend = make_ref<config::BackendSnapshot>();
    backend->revision = snapshot->revision;
    backend->settings = state.settings;
    backend->eligible = state.eligible;
    for (auto [slot, since] : state.starting) backend->starting.set(slot, since);
    config::OwnLimits own;
    for (auto& [server, record] : state.servers) {
      own.limited += record->max_connections.value_or(0) > 0;
      own.ramped += record->extras && record->extras->min_connections.value_or(0) > 0;
      add_persistence(*backend, record, !state.unfit.contains(record->metadata.uid));
    }
    backend->counts_in_flight = config::has_to_count(*state.settings, own);
    backend->counts_total = config::has_to_count_total(*state.settings, own);
    bool begins = (backend->counts_in_flight && !state.counted) || (backend->counts_total && !state.total_counted);
    if (begins) counting_since_ = snapshot->revision;
    state.counted = backend->counts_in_flight;
    state.total_counted = backend->counts_total;
    if (config::hashes_by_table(*state.settings)) {
      for (auto& [server, record] : state.servers) backend->assigned.upsert(record);
      make_tables(*backend);
    }
    snapshot->backends.set(state.settings->slot, Ref<const config::BackendSnapshot>(backend));
  }
  snapshot->counting_since = counting_since_;
  for (auto& [name, listener] : listeners_) snapshot->listeners.set(listener->slot, listener);
  return snapshot;
}

}  // namespace fairlead::sim
