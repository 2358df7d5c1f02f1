// Operations on listeners.
#include <algorithm>
#include <utility>

#include "api/decode.h"
#include "api/encode.h"
#include "api/patch.h"
#include "config/compile_routes.h"
#include "config/settings.h"
#include "config/text.h"
#include "config/validate.h"
#include "store/applier.h"
#include "store/tls_contexts.h"

namespace fairlead::store {
namespace {

using config::concat;

api::Failure not_found(const std::string& name) {
  return {v1::REASON_NOT_FOUND, api::listener_title(name), "", "does not exist"};
}

bool has_fixed_address(const config::Endpoint& endpoint) { return endpoint.is_unix() || endpoint.port() != 0; }

// Which of `after.bind` were open before: for each its bound address, or nothing. An address is kept once, and rather
// for whoever names it than for whoever takes any port.
std::vector<std::optional<config::Endpoint>> kept_addresses(const config::Listener* before,
                                                            const config::Listener& after) {
  std::vector<std::optional<config::Endpoint>> kept(after.bind.size());
  if (!before) return kept;
  std::vector<bool> used(before->bind.size());
  auto keep_where_equal = [&](const std::vector<config::Endpoint>& open) {
    for (size_t i = 0; i < after.bind.size(); ++i) {
      for (size_t j = 0; j < open.size() && !kept[i]; ++j) {
        if (used[j] || open[j] != after.bind[i]) continue;
        used[j] = true;
        kept[i] = before->bound[j];
      }
    }
  };
  keep_where_equal(before->bound);
  keep_where_equal(before->bind);
  return kept;
}

}  // namespace

auto Applier::apply(api::WriteListener& write) -> Failed {
  std::string title = api::listener_title(write.draft->name);
  base::Ref<const config::Listener> before(model_.find_listener(write.draft->name));
  if (!before) {
    if (write.mode == api::WriteMode::kReplace) return not_found(write.draft->name);
    return add_listener(std::move(write.draft));
  }
  if (write.mode == api::WriteMode::kCreate && !config::same_settings(*before, *write.draft)) {
    return api::Failure{v1::REASON_ALREADY_EXISTS, title, "", "exists with other content; update or delete it"};
  }
  return replace_listener(std::move(before), std::move(write.draft));
}

auto Applier::patch_listener(const v1::Patch& patch) -> Failed {
  const v1::Listener& source = patch.resource().listener();
  base::Ref<const config::Listener> before(model_.find_listener(source.name()));
  if (!before) return not_found(source.name());
  v1::Listener message;
  api::encode(*before, message);
  api::apply_mask(patch.update_mask(), source, message);
  api::Decoded<base::Ref<config::Listener>> draft = api::decode_listener(message);
  if (!draft) return std::move(draft.error());
  return replace_listener(std::move(before), *std::move(draft));
}

auto Applier::add_listener(base::Ref<config::Listener> listener) -> Failed {
  std::string title = api::listener_title(listener->name);
  if (model_.listeners().size() >= limits_.listeners) {
    return api::Failure{
        v1::REASON_LIMIT_EXCEEDED, title, "",
        concat("there are ", limits_.listeners, " listeners already, the most that this data plane takes")};
  }
  if (Failed failure = check_references(*listener)) return failure;
  listener->metadata = new_metadata();
  if (Failed failure = open_addresses(nullptr, *listener)) return failure;
  listener->slot = model_.take_listener_slot();
  compile(*listener, nullptr);
  changed();
  base::Ref<const config::Listener> added = listener;
  model_.add_listener(listener);
  effects_.effects.push_back(AcceptListener{added->slot, added->metadata.uid});
  add_event(v1::CHANGE_CREATED, added);
  touched_.listener = ListenerView{added};
  return std::nullopt;
}

auto Applier::replace_listener(base::Ref<const config::Listener> before, base::Ref<config::Listener> after) -> Failed {
  touched_.listener = ListenerView{before};
  if (config::same_settings(*before, *after)) return std::nullopt;
  if (Failed failure = check_references(*after)) return failure;
  after->slot = before->slot;
  after->metadata = updated(before->metadata);
  if (Failed failure = open_addresses(before.get(), *after)) return failure;
  compile(*after, before.get());
  changed();
  base::Ref<const config::Listener> replaced = after;
  model_.replace_listener(before, replaced);
  std::vector<config::Endpoint> closed;
  for (const config::Endpoint& endpoint : before->bound) {
    bool stays = std::ranges::find(after->bound, endpoint) != after->bound.end();
    if (!stays && !is_closing(after->metadata.uid, endpoint)) closed.push_back(endpoint);
  }
  if (before->bound != after->bound) {
    effects_.effects.push_back(AcceptListener{after->slot, after->metadata.uid});
    if (!closed.empty()) {
      effects_.effects.push_back(CloseAddresses{after->slot, after->metadata.uid, std::move(closed)});
    }
  }
  add_event(v1::CHANGE_UPDATED, replaced, before);
  touched_.listener = ListenerView{std::move(replaced)};
  return std::nullopt;
}

bool Applier::is_closing(config::Uid listener, const config::Endpoint& endpoint) const {
  return std::ranges::any_of(effects_.effects, [&](const Effect& effect) {
    const auto* close = std::get_if<CloseAddresses>(&effect);
    return close && close->uid == listener && std::ranges::find(close->bound, endpoint) != close->bound.end();
  });
}

auto Applier::open_addresses(const config::Listener* before, config::Listener& after) -> Failed {
  std::vector<std::optional<config::Endpoint>> addresses = kept_addresses(before, after);
  // Given up since the last publication, and therefore still open.
  std::vector<config::Endpoint> taken_back;
  for (size_t i = 0; i < addresses.size() && before; ++i) {
    const config::Endpoint& address = after.bind[i];
    bool again = !addresses[i] && has_fixed_address(address) && is_closing(after.metadata.uid, address) &&
                 std::ranges::find(taken_back, address) == taken_back.end() && !competitor_at(address, after.name);
    if (!again) continue;
    addresses[i] = address;
    taken_back.push_back(address);
  }
  std::vector<config::Endpoint> wanted;
  std::vector<config::Endpoint> kept;
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (addresses[i]) {
      kept.push_back(*addresses[i]);
    } else {
      wanted.push_back(after.bind[i]);
    }
  }
  if (Failed failure = check_free(wanted, std::move(kept), after)) return failure;
  std::vector<config::Endpoint> opened;
  if (!wanted.empty()) {
    config::Uid uid = after.metadata.uid;
    absl::StatusOr<std::vector<config::Endpoint>> bound = reading_half_.bind(uid, wanted);
    if (!bound.ok()) {
      const bool is_our_own = absl::IsInvalidArgument(bound.status());
      return api::Failure{is_our_own ? v1::REASON_INVALID : v1::REASON_BIND_FAILED, api::listener_title(after.name),
                          "bind", std::string(bound.status().message())};
    }
    opened = *std::move(bound);
    model_.on_roll_back([&reading_half = reading_half_, uid, opened, is_new = before == nullptr] {
      if (is_new) return reading_half.unbind(uid);
      reading_half.close_addresses(uid, opened);
    });
  }
  auto next = opened.begin();
  for (std::optional<config::Endpoint>& address : addresses) after.bound.push_back(address ? *address : *next++);
  std::ranges::move(taken_back, std::back_inserter(opened));
  return check_loop(after, opened);
}

void Applier::note_listeners_at_end(const std::vector<api::Operation>& operations) {
  for (const api::Operation& operation : operations) {
    if (const auto* write = std::get_if<api::WriteListener>(&operation.action)) {
      at_end_.insert_or_assign(write->draft->name, write->draft);
    } else if (const auto* deletion = std::get_if<api::DeleteListener>(&operation.action)) {
      at_end_.insert_or_assign(deletion->name, nullptr);
    }
  }
}

const std::string* Applier::competitor_at(const config::Endpoint& address, const std::string& listener) const {
  return model_.competitor_at(address, [&](const std::string& other) {
    if (other == listener) return false;
    // Two sockets cannot have one path at a time.
    auto later = at_end_.find(other);
    if (later == at_end_.end() || address.is_unix()) return true;
    // A free port that it got stays its own, and which that is `bind` does not say.
    return later->second && std::ranges::any_of(later->second->bind, [&](const config::Endpoint& place) {
             return !has_fixed_address(place) || config::overlap(place, address);
           });
  });
}

// Sockets of one process share a port without complaint, so it is for us to see that two listeners do not, nor one
// listener with itself.
auto Applier::check_free(const std::vector<config::Endpoint>& addresses, std::vector<config::Endpoint> own,
                         const config::Listener& listener) const -> Failed {
  auto taken = [&](const config::Endpoint& address, const std::string& by) {
    return api::Failure{v1::REASON_BIND_FAILED, api::listener_title(listener.name), "bind",
                        concat(config::quoted(address.to_string()), " is in use by ", by)};
  };
  // Another one of this transaction may have taken it over.
  for (size_t i = 0; i < own.size() && !at_end_.empty(); ++i) {
    if (const std::string* other = competitor_at(own[i], listener.name))
      return taken(own[i], api::listener_title(*other));
  }
  for (const config::Endpoint& address : addresses) {
    if (!has_fixed_address(address)) continue;
    const std::string* other = competitor_at(address, listener.name);
    if (other) return taken(address, api::listener_title(*other));
    for (const config::Endpoint& place : own) {
      if (config::overlap(place, address))
        return taken(address, concat(config::quoted(place.to_string()), " beside it"));
    }
    own.push_back(address);
  }
  return std::nullopt;
}

// Looks at every server only where one of them is there, or (of four billion) seems to be.
auto Applier::check_loop(const config::Listener& listener, const std::vector<config::Endpoint>& bound) const -> Failed {
  Failed failure;
  if (std::ranges::none_of(bound, [this](const auto& place) { return model_.may_be_member_at(place); })) return failure;
  for (const auto& [backend_name, backend] : model_.backends()) {
    backend->members.for_each([&](config::Slot, const base::Ref<const config::Server>& server) {
      if (failure) return;
      for (const config::Endpoint& place : bound) {
        if (!config::arrives_at(server->address, place)) continue;
        failure = api::Failure{v1::REASON_LOOP, api::listener_title(listener.name), "bind",
                               concat(config::quoted(place.to_string()), " is the address of ",
                                      api::server_title(backend_name, server->name))};
      }
    });
    if (failure) break;
  }
  return failure;
}

auto Applier::check_references(const config::Listener& listener) const -> Failed {
  auto missing = [&](std::string field, const std::string& backend) {
    return api::Failure{v1::REASON_NOT_FOUND, api::listener_title(listener.name), std::move(field),
                        concat(api::backend_title(backend), " does not exist; add it first")};
  };
  if (!listener.default_backend.empty() && !model_.find_backend(listener.default_backend)) {
    return missing("default_backend", listener.default_backend);
  }
  for (size_t i = 0; i < listener.routes.size(); ++i) {
    const std::string& backend = listener.routes[i].backend;
    if (!backend.empty() && !model_.find_backend(backend)) return missing(concat("routes[", i, "].backend"), backend);
  }
  bool passes_through = listener.tls && listener.tls->pass_through;
  for (size_t i = 0; passes_through && i < listener.tls->pass_through->routes.size(); ++i) {
    const std::string& backend = listener.tls->pass_through->routes[i].backend;
    if (!model_.find_backend(backend)) return missing(concat("tls.pass_through.routes[", i, "].backend"), backend);
  }
  for (size_t i = 0; listener.tls && i < listener.tls->certificates.size(); ++i) {
    const std::string& name = listener.tls->certificates[i];
    if (model_.find_certificate(name)) continue;
    return api::Failure{v1::REASON_NOT_FOUND, api::listener_title(listener.name), concat("tls.certificates[", i, "]"),
                        concat(api::certificate_title(name), " does not exist; add it first")};
  }
  return std::nullopt;
}

void Applier::compile(config::Listener& listener, const config::Listener* before) const {
  listener.route_table =
      config::compile_routes(listener.routes, listener.default_backend,
                             [this](std::string_view name) { return model_.find_backend(name)->handle(); });
  if (!listener.tls) return;
  if (!listener.tls->pass_through) {
    listener.tls_context = make_tls_context(model_, listener, before);
    return;
  }
  listener.tls_route_table =
      config::compile_tls_routes(listener.tls->pass_through->routes,
                                 [this](std::string_view name) { return model_.find_backend(name)->handle(); });
}

auto Applier::apply(api::DeleteListener& request) -> Failed {
  base::Ref<const config::Listener> listener(model_.find_listener(request.name));
  if (!listener) return std::nullopt;
  touched_.existed = true;
  changed();
  effects_.effects.push_back(StopListener{listener->metadata.uid});
  add_event(v1::CHANGE_DELETED, listener);
  model_.remove_listener(std::move(listener));
  return std::nullopt;
}

}  // namespace fairlead::store
