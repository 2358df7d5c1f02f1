// Operations on servers and backends.
#include <algorithm>
#include <utility>

#include "api/decode.h"
#include "api/encode.h"
#include "api/patch.h"
#include "config/settings.h"
#include "config/text.h"
#include "config/validate.h"
#include "store/applier.h"
#include "store/tls_contexts.h"

namespace fairlead::store {
namespace {

using config::concat;

api::Failure not_found(std::string title, std::string_view field = "") {
  return {v1::REASON_NOT_FOUND, std::move(title), std::string(field), "does not exist"};
}

api::Failure no_backend(const std::string& backend, const std::string& server) {
  return {v1::REASON_NOT_FOUND, api::server_title(backend, server), "backend",
          concat(api::backend_title(backend), " does not exist; add it first")};
}

api::Failure already_exists(std::string title) {
  return {v1::REASON_ALREADY_EXISTS, std::move(title), "", "exists with other content; update or delete it"};
}

api::Failure limit_exceeded(std::string title, std::string_view what, uint64_t limit) {
  return {v1::REASON_LIMIT_EXCEEDED, std::move(title), "",
          concat("there are ", limit, " ", what, " already, the most that this data plane takes")};
}

std::string title_of(const BackendState& backend, const config::Server& server) {
  return api::server_title(backend.settings->name, server.name);
}

// Whether servers are checked, and whether agents are asked.
std::pair<bool, bool> asks_of(const config::Backend& backend) {
  const std::optional<config::HealthCheck>& check = backend.health_check;
  return {check && check->has_check(), check && check->agent};
}

}  // namespace

auto Applier::apply(api::WriteServer& write) -> Failed {
  const std::string& backend_name = write.draft.backend;
  const std::string& name = write.draft.record->name;
  BackendState* backend = model_.find_backend(backend_name);
  if (!backend) return no_backend(backend_name, name);
  const base::Ref<const config::Server>* before = backend->find(name);
  if (!before) {
    if (write.mode == api::WriteMode::kReplace) return not_found(api::server_title(backend_name, name));
    return add_server(*backend, std::move(write.draft.record));
  }
  if (write.mode == api::WriteMode::kCreate && !config::same_settings(**before, *write.draft.record)) {
    return already_exists(api::server_title(backend_name, name));
  }
  return replace_server(*backend, *before, std::move(write.draft.record));
}

auto Applier::add_server(BackendState& backend, base::Ref<config::Server> server) -> Failed {
  if (model_.servers() >= limits_.servers) {
    return limit_exceeded(title_of(backend, *server), "servers", limits_.servers);
  }
  if (const std::string* listener = model_.listener_at(server->address)) {
    return api::Failure{v1::REASON_LOOP, title_of(backend, *server), "address",
                        concat(config::quoted(server->address.to_string()), " is where ",
                               api::listener_title(*listener), " of this data plane listens")};
  }
  server->metadata = new_metadata();
  changed();
  model_.add_server(backend, server);
  base::Ref<const config::Server> added = server;
  if (!added->takes_requests()) {
    effects_.effects.push_back(FollowAdminState{backend.handle(), added->slot, added->metadata.uid, origin_});
  }
  follow_name(backend, nullptr, *added);
  follow_check(backend, *added);
  if (added->tracks()) {
    if (Failed failure = begin_tracking(backend, *added)) return failure;
  }
  add_event(v1::CHANGE_CREATED, backend, added);
  touched_.server = ServerView{.backend = backend.settings->name, .record = added};
  return std::nullopt;
}

void Applier::follow_name(const BackendState& backend, const config::Server* before, const config::Server& after) {
  if (!after.address.is_name() && (!before || !before->address.is_name())) return;
  if (before && before->address == after.address) return;
  effects_.effects.push_back(FollowName{backend.handle(), after.slot, after.metadata.uid, origin_});
}

void Applier::follow_check(const BackendState& backend, const config::Server& server) {
  if (!backend.settings->health_check && !server.tracks()) return;
  effects_.effects.push_back(FollowCheck{backend.handle(), server.slot, server.metadata.uid, origin_});
}

auto Applier::begin_tracking(const BackendState& backend, const config::Server& server) -> Failed {
  if (each_) return check_target(backend, server);
  tracking_.push_back({index_, backend.handle(), server.slot, server.metadata.uid});
  return std::nullopt;
}

std::optional<IndexedFailure> Applier::check_targets() const {
  for (const Tracking& tracking : tracking_) {
    const config::Server* server = model_.find_member(tracking.backend, tracking.slot, tracking.uid);
    if (!server || !server->tracks()) continue;
    Failed failure = check_target(*model_.find_backend(tracking.backend), *server);
    if (failure) return IndexedFailure{tracking.index, *std::move(failure)};
  }
  return std::nullopt;
}

auto Applier::check_target(const BackendState& backend, const config::Server& server) const -> Failed {
  constexpr int kDeepest = 100;
  const std::string own = concat(backend.settings->name, "/", server.name);
  auto refused = [&](std::string text) {
    return api::Failure{v1::REASON_INVALID, title_of(backend, server), "health_check.track", std::move(text)};
  };
  const std::string* at = &server.extras->track;
  for (int depth = 0; depth < kDeepest; ++depth) {
    if (*at == own) return refused(concat(config::quoted(server.extras->track), " follows this server itself"));
    const config::Server* target = model_.find_member(*at);
    if (!target && depth == 0 && !restores_)
      return refused(concat(config::quoted(*at), " does not exist; add it first"));
    if (!target || !target->tracks()) return std::nullopt;
    at = &target->extras->track;
  }
  return refused(concat("follows more than ", kDeepest, " servers, each by way of the last"));
}

auto Applier::replace_server(BackendState& backend, base::Ref<const config::Server> before,
                             base::Ref<config::Server> after) -> Failed {
  touched_.server = ServerView{.backend = backend.settings->name, .record = before};
  if (config::same_settings(*before, *after)) return std::nullopt;
  const std::string* listener = model_.listener_at(after->address);
  if (listener && before->address != after->address) {
    return api::Failure{v1::REASON_LOOP, title_of(backend, *after), "address",
                        concat(config::quoted(after->address.to_string()), " is where ", api::listener_title(*listener),
                               " of this data plane listens")};
  }
  after->slot = before->slot;
  after->metadata = updated(before->metadata);
  changed();
  base::Ref<const config::Server> changed_server = after;
  model_.replace_server(backend, before, changed_server);
  if (before->admin_state.value_or(config::AdminState::kReady) !=
      after->admin_state.value_or(config::AdminState::kReady)) {
    effects_.effects.push_back(FollowAdminState{backend.handle(), after->slot, after->metadata.uid, origin_});
  }
  follow_name(backend, before.get(), *after);
  follow_check(backend, *after);
  if (backend.settings->outlier_detection && before->address != after->address) {
    effects_.effects.push_back(ForgetEjections{backend.handle(), after->slot, after->metadata.uid});
  }
  bool tracks_another = after->tracks() && (!before->tracks() || before->extras->track != after->extras->track);
  if (tracks_another) {
    if (Failed failure = begin_tracking(backend, *after)) return failure;
  }
  add_event(v1::CHANGE_UPDATED, backend, changed_server, before);
  touched_.server->record = std::move(changed_server);
  return std::nullopt;
}

auto Applier::apply(api::DeleteServer& request) -> Failed {
  note_departing(request);
  touched_.existed = !departing_.empty();
  BackendState* backend = model_.find_backend(request.backend);
  const base::Ref<const config::Server>* server = backend ? backend->find(request.name) : nullptr;
  if (!server) {
    for (config::Uid uid : departing_) hurry(uid, request.drain);
    return std::nullopt;
  }
  touched_.existed = true;
  departing_.push_back((*server)->metadata.uid);
  return remove_server(*backend, *server, request.drain);
}

void Applier::note_departing(const api::DeleteServer& request) {
  departing_.clear();
  auto at = model_.departing().lower_bound(DepartingKey{request.backend, request.name, 0});
  for (; at != model_.departing().end() && at->first.backend == request.backend && at->first.name == request.name;
       ++at) {
    departing_.push_back(at->first.uid);
  }
}

// One that departs already gets an earlier deadline where the request says one.
void Applier::hurry(config::Uid uid, const config::DrainPolicy& drain) {
  if (!drain.timeout) return;
  DepartingServer& departing = *model_.find_departing(uid);
  config::WallTime deadline = now_ + *drain.timeout;
  if (deadline >= departing.deadline) return;
  model_.on_roll_back([&model = model_, uid, before = departing] { *model.find_departing(uid) = before; });
  departing.deadline = deadline;
  departing.timeout = *drain.timeout;
  departing.jitter = std::min(drain.jitter.value_or(config::Duration::zero()), departing.timeout);
  effects_.effects.push_back(DrainDeparting{uid});
}

auto Applier::remove_server(BackendState& backend, base::Ref<const config::Server> server,
                            const config::DrainPolicy& drain) -> Failed {
  config::Duration timeout = drain.timeout.value_or(backend.settings->drain_timeout());
  if (drain.jitter && *drain.jitter > timeout) {
    return api::Failure{v1::REASON_INVALID, title_of(backend, *server), "drain.jitter",
                        concat(config::to_text(*drain.jitter), " is out of range [0, ", config::to_text(timeout),
                               "], the timeout of the drain")};
  }
  // A jitter from the backend's policy is meant for the timeout beside it and gives way to a shorter one.
  config::Duration jitter = std::min(drain.jitter.value_or(backend.settings->drain_jitter()), timeout);
  changed();
  model_.remove_server(backend, server,
                       {.record = server,
                        .backend = &backend,
                        .backend_name = backend.settings->name,
                        .handle = backend.handle(),
                        .timeout = timeout,
                        .jitter = jitter,
                        .deadline = now_ + timeout,
                        .origin = origin_});
  effects_.effects.push_back(DrainDeparting{server->metadata.uid});
  if (!server->is_discovered()) add_event(v1::CHANGE_DELETED, backend, server);
  add_event({.what = ServerStep{backend.settings->name, server->name, server->metadata.uid, v1::LIFECYCLE_DRAINING}});
  return std::nullopt;
}

auto Applier::apply(api::WriteBackend& write) -> Failed {
  std::string title = api::backend_title(write.draft->name);
  BackendState* backend = model_.find_backend(write.draft->name);
  if (write.draft->tls) {
    const std::string& own = write.draft->tls->client_certificate;
    if (!own.empty() && !model_.find_certificate(own)) {
      return api::Failure{v1::REASON_NOT_FOUND, title, "tls.client_certificate",
                          concat(api::certificate_title(own), " does not exist; add it first")};
    }
    write.draft->tls_context = make_tls_context(model_, *write.draft);
  }
  if (backend) {
    touched_.backend = BackendView{backend->settings};
    if (config::same_settings(*backend->settings, *write.draft)) return std::nullopt;
    if (write.mode == api::WriteMode::kCreate) return already_exists(title);
    write.draft->slot = backend->settings->slot;
    write.draft->metadata = updated(backend->settings->metadata);
    changed();
    base::Ref<const config::Backend> before = backend->settings;
    model_.replace_backend(*backend, write.draft);
    if (before->health_check != backend->settings->health_check || before->tls != backend->settings->tls) {
      bool members = asks_of(*before) != asks_of(*backend->settings);
      effects_.effects.push_back(FollowChecks{backend->handle(), members});
    }
    if (before->discovery != backend->settings->discovery) {
      effects_.effects.push_back(FollowDiscovery{backend->handle()});
    }
    if (before->pool != backend->settings->pool) effects_.effects.push_back(FollowPool{backend->handle()});
    if (before->outlier_detection && !backend->settings->outlier_detection) {
      effects_.effects.push_back(ForgetEjections{backend->handle(), 0, 0});
    }
    add_event(v1::CHANGE_UPDATED, *backend, std::move(before));
    touched_.backend = BackendView{backend->settings};
    return std::nullopt;
  }
  if (write.mode == api::WriteMode::kReplace) return not_found(title);
  if (model_.backends().size() >= limits_.backends) return limit_exceeded(title, "backends", limits_.backends);
  write.draft->metadata = new_metadata();
  changed();
  model_.add_backend(write.draft);
  backend = model_.find_backend(write.draft->name);
  if (backend->settings->discovery) effects_.effects.push_back(FollowDiscovery{backend->handle()});
  add_event(v1::CHANGE_CREATED, *backend);
  touched_.backend = BackendView{backend->settings};
  return std::nullopt;
}

auto Applier::apply(api::DeleteBackend& request) -> Failed {
  BackendState* backend = model_.find_backend(request.name);
  if (!backend) return std::nullopt;
  std::string title = api::backend_title(request.name);
  std::string users;
  for (const auto& [name, listener] : model_.listeners()) {
    bool uses = listener->default_backend == request.name ||
                std::ranges::any_of(listener->routes,
                                    [&](const config::Route& route) { return route.backend == request.name; });
    if (listener->tls && listener->tls->pass_through) {
      uses |= std::ranges::count(listener->tls->pass_through->routes, request.name, &config::TlsRoute::backend) > 0;
    }
    if (uses && users.size() < 512) users += (users.empty() ? "" : ", ") + api::listener_title(name);
  }
  if (!users.empty()) {
    return api::Failure{v1::REASON_IN_USE, title, "", concat("is in use by ", users, "; change them first")};
  }
  touched_.existed = true;
  std::vector<base::Ref<const config::Server>> members;
  backend->members.for_each([&](config::Slot, const auto& server) { members.push_back(server); });
  for (const base::Ref<const config::Server>& server : members) {
    if (Failed failure = remove_server(*backend, server, request.drain)) return failure;
  }
  changed();
  if (backend->settings->discovery) effects_.effects.push_back(FollowDiscovery{backend->handle()});
  add_event(v1::CHANGE_DELETED, *backend);
  effects_.effects.push_back(ForgetEjections{backend->handle(), 0, 0});
  model_.remove_backend(*backend);
  return std::nullopt;
}

auto Applier::apply(api::PatchResource& patch) -> Failed {
  switch (patch.patch.resource().kind_case()) {
    case v1::Resource::kServer:
      return patch_server(patch.patch);
    case v1::Resource::kBackend:
      return patch_backend(patch.patch);
    case v1::Resource::kCertificate:
      return patch_certificate(patch.patch);
    default:
      return patch_listener(patch.patch);
  }
}

auto Applier::patch_server(const v1::Patch& patch) -> Failed {
  const v1::Server& source = patch.resource().server();
  BackendState* backend = model_.find_backend(source.backend());
  if (!backend) return no_backend(source.backend(), source.name());
  const base::Ref<const config::Server>* before = backend->find(source.name());
  if (!before) return not_found(api::server_title(source.backend(), source.name()));
  v1::Server message;
  api::encode(**before, source.backend(), message);
  api::apply_mask(patch.update_mask(), source, message);
  api::Decoded<api::ServerDraft> draft = api::decode_server(message);
  if (!draft) return std::move(draft.error());
  return replace_server(*backend, *before, std::move(draft->record));
}

auto Applier::patch_backend(const v1::Patch& patch) -> Failed {
  const v1::Backend& source = patch.resource().backend();
  BackendState* backend = model_.find_backend(source.name());
  if (!backend) return not_found(api::backend_title(source.name()));
  v1::Backend message;
  api::encode(*backend->settings, message);
  api::apply_mask(patch.update_mask(), source, message);
  api::Decoded<base::Ref<config::Backend>> draft = api::decode_backend(message);
  if (!draft) return std::move(draft.error());
  api::WriteBackend write{api::WriteMode::kReplace, *std::move(draft)};
  return apply(write);
}

}  // namespace fairlead::store
