#include "reference.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client_digest.h"

namespace fairlead::management {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool operator<(const google::protobuf::Duration& a, const google::protobuf::Duration& b) {
  return std::pair(a.seconds(), a.nanos()) < std::pair(b.seconds(), b.nanos());
}

// Of addresses with several spellings the one that is exported. The only such that tests draw.
std::string normal(const std::string& address) {
  return address.starts_with("[0:0:0:0:0:0:0:") ? absl::StrCat("[::", address.substr(15)) : address;
}
v1::Server normal(v1::Server server) {
  server.set_address(normal(server.address()));
  return server;
}
const v1::Listener& normal(const v1::Listener& listener) { return listener; }
v1::Backend normal(v1::Backend backend) {
  backend.clear_servers();
  return backend;
}

bool is_there(const Message& message, const std::string& path) {
  size_t point = path.find('.');
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(path.substr(0, point));
  if (field->is_repeated()) return message.GetReflection()->FieldSize(message, field) > 0;
  if (!message.GetReflection()->HasField(message, field)) return false;
  return point == path.npos || is_there(message.GetReflection()->GetMessage(message, field), path.substr(point + 1));
}

void copy_field(const Message& from, Message& to, const std::string& path) {
  if (!is_there(from, path) && !is_there(to, path)) return;
  size_t point = path.find('.');
  const FieldDescriptor* field = from.GetDescriptor()->FindFieldByName(path.substr(0, point));
  if (point != path.npos) {
    copy_field(from.GetReflection()->GetMessage(from, field), *to.GetReflection()->MutableMessage(&to, field),
               path.substr(point + 1));
    return;
  }
  to.GetReflection()->ClearField(&to, field);
  Message* rest = from.New();
  rest->CopyFrom(from);
  std::vector<const FieldDescriptor*> set;
  rest->GetReflection()->ListFields(*rest, &set);
  for (const FieldDescriptor* other : set) {
    if (other != field) rest->GetReflection()->ClearField(rest, other);
  }
  to.MergeFrom(*rest);
  delete rest;
}

bool names(const v1::Listener& listener, const std::string& backend) {
  return listener.default_backend() == backend ||
         std::ranges::any_of(listener.routes(), [&](const v1::Route& route) { return route.backend() == backend; });
}
bool has_address(const v1::Listener& listener, const std::string& address) {
  return std::ranges::find(listener.bind(), address) != listener.bind().end();
}
std::string server_mark(const std::string& backend, const std::string& name) {
  return absl::StrCat("server ", backend, "/", name);
}
bool is_any_port(const std::string& address) { return address.ends_with(":0"); }

}  // namespace

Expected Reference::apply(const v1::Transaction& transaction) {
  if (transaction.has_expected_version() && transaction.expected_version() != state_.version) {
    bool future = transaction.expected_version() > state_.version;
    return {v1::OUTCOME_REFUSED,
            state_.version,
            {{{}, {future ? v1::REASON_FUTURE_VERSION : v1::REASON_VERSION_MISMATCH}}}};
  }
  bool each = transaction.atomicity() == v1::ATOMICITY_EACH;
  State before = state_;
  ++state_.version;
  changed_ = false;
  at_end_.clear();
  for (const v1::Operation& operation : transaction.operations()) {
    if (each) break;
    for (const v1::Resource* written : {&operation.create(), &operation.upsert(), &operation.replace()}) {
      if (written->has_listener()) at_end_[written->listener().name()] = written->listener();
    }
    if (!operation.delete_().listener().empty()) at_end_[operation.delete_().listener()].Clear();
  }
  Expected expected;
  for (int i = 0; i < transaction.operations_size(); ++i) {
    State at_start = state_;
    bool changed_before = changed_;
    Reasons reasons = apply(transaction.operations(i));
    if (reasons.empty()) continue;
    expected.failures.push_back({static_cast<uint32_t>(i), std::move(reasons)});
    state_ = std::move(at_start);
    changed_ = changed_before;
  }
  size_t failed = expected.failures.size();
  bool refused = failed > 0 && (!each || failed == static_cast<size_t>(transaction.operations_size()));
  if (refused || transaction.validate_only() || !changed_) state_ = std::move(before);
  expected.version = state_.version;
  bool applied = changed_ && !transaction.validate_only();
  expected.outcome = refused      ? v1::OUTCOME_REFUSED
                     : failed > 0 ? v1::OUTCOME_PARTIAL
                     : applied    ? v1::OUTCOME_APPLIED
                                  : v1::OUTCOME_UNCHANGED;
  return expected;
}

Reasons Reference::apply(const v1::Operation& operation) {
  switch (operation.action_case()) {
    case v1::Operation::kUpsert:
      return write(operation.upsert(), Mode::kUpsert);
    case v1::Operation::kCreate:
      return write(operation.create(), Mode::kCreate);
    case v1::Operation::kReplace:
      return write(operation.replace(), Mode::kReplace);
    case v1::Operation::kPatch:
      return patch(operation.patch());
    case v1::Operation::kDelete:
      return remove(operation.delete_());
    case v1::Operation::ACTION_NOT_SET:
      break;
  }
  return {v1::REASON_INVALID};
}

Reference::Resync Reference::begin_resync() const {
  Resync resync;
  for (const auto& [name, held] : state_.listeners) resync.there.insert(held.life);
  for (const auto& [name, held] : state_.backends) resync.there.insert(held.life);
  for (const auto& [key, held] : state_.servers) resync.there.insert(held.life);
  return resync;
}

void Reference::mark(Resync& resync, const v1::Transaction& transaction) {
  auto mark_resource = [&](const v1::Resource& resource) {
    if (resource.has_listener()) resync.marked.insert("listener " + resource.listener().name());
    if (resource.has_server()) resync.marked.insert(server_mark(resource.server().backend(), resource.server().name()));
    if (!resource.has_backend()) return;
    resync.marked.insert("backend " + resource.backend().name());
    for (const v1::Server& server : resource.backend().servers()) {
      resync.marked.insert(server_mark(resource.backend().name(), server.name()));
    }
  };
  for (const v1::Operation& operation : transaction.operations()) {
    mark_resource(operation.upsert());
    mark_resource(operation.create());
    mark_resource(operation.replace());
    mark_resource(operation.patch().resource());
    const v1::Delete& request = operation.delete_();
    if (request.has_listener()) resync.marked.insert("listener " + request.listener());
    if (request.has_backend()) resync.marked.insert("backend " + request.backend());
    if (request.has_server()) resync.marked.insert(server_mark(request.server().backend(), request.server().name()));
  }
}

Expected Reference::end_resync(const Resync& resync) {
  State before = state_;
  changed_ = false;
  if (!remove_unnamed(resync)) {
    state_ = std::move(before);
    return {v1::OUTCOME_REFUSED, state_.version, {{{}, {v1::REASON_IN_USE}}}};
  }
  if (changed_) ++state_.version;
  return {changed_ ? v1::OUTCOME_APPLIED : v1::OUTCOME_UNCHANGED, state_.version};
}

bool Reference::remove_unnamed(const Resync& resync) {
  auto goes = [&](const std::string& mark, uint64_t life) {
    return resync.there.contains(life) && !resync.marked.contains(mark);
  };
  size_t removed = std::erase_if(state_.listeners,
                                 [&](const auto& entry) { return goes("listener " + entry.first, entry.second.life); });
  removed += std::erase_if(state_.servers, [&](const auto& entry) {
    return goes(server_mark(entry.first.first, entry.first.second), entry.second.life);
  });
  std::vector<std::string> backends;
  for (const auto& [name, held] : state_.backends) {
    auto first = state_.servers.lower_bound({name, ""});
    bool is_empty = first == state_.servers.end() || first->first.first != name;
    if (goes("backend " + name, held.life) && is_empty) backends.push_back(name);
  }
  for (const std::string& name : backends) {
    for (const auto& [listener, held] : state_.listeners) {
      if (names(held.message, name)) return false;
    }
    state_.backends.erase(name);
  }
  changed_ = removed > 0 || !backends.empty();
  return true;
}

Reasons Reference::write(const v1::Resource& resource, Mode mode) {
  if (resource.has_backend()) return write(resource.backend(), mode);
  if (resource.has_listener()) return put(state_.listeners, resource.listener().name(), resource.listener(), mode);
  const v1::Server& server = resource.server();
  return put(state_.servers, ServerKey(server.backend(), server.name()), server, mode);
}

Reasons Reference::write(const v1::Backend& backend, Mode mode) {
  Reasons reasons = put(state_.backends, backend.name(), backend, mode);
  for (v1::Server server : backend.servers()) {
    server.set_backend(backend.name());
    Reasons more = put(state_.servers, ServerKey(backend.name(), server.name()), server, mode);
    // What fails first is what is told, but for what is malformed.
    if (reasons.empty() || more.contains(v1::REASON_INVALID)) reasons.merge(more);
  }
  return reasons;
}

template <typename Key, typename Message>
Reasons Reference::put(std::map<Key, Held<Message>>& map, const Key& key, const Message& message, Mode mode) {
  Message wanted = normal(message);
  Reasons reasons = faults(wanted);
  auto at = map.find(key);
  if (at == map.end() && mode == Mode::kReplace) reasons.insert(v1::REASON_NOT_FOUND);
  bool equal = at != map.end() && canonical_bytes(at->second.message) == canonical_bytes(wanted);
  if (at != map.end() && mode == Mode::kCreate && !equal) reasons.insert(v1::REASON_ALREADY_EXISTS);
  if (!reasons.empty() || equal) return reasons;
  if (at == map.end()) {
    map[key] = {wanted, ++last_life_, state_.version};
  } else {
    at->second.message = wanted;
    at->second.version = state_.version;
  }
  changed_ = true;
  return {};
}

Reasons Reference::patch(const v1::Patch& request) {
  const v1::Resource& resource = request.resource();
  if (resource.has_backend()) {
    return patch(state_.backends, resource.backend().name(), resource.backend(), request.update_mask());
  }
  if (resource.has_listener()) {
    return patch(state_.listeners, resource.listener().name(), resource.listener(), request.update_mask());
  }
  const v1::Server& server = resource.server();
  return patch(state_.servers, ServerKey(server.backend(), server.name()), server, request.update_mask());
}

template <typename Key, typename Message>
Reasons Reference::patch(std::map<Key, Held<Message>>& map, const Key& key, const Message& message,
                         const google::protobuf::FieldMask& mask) {
  auto at = map.find(key);
  Message result = at == map.end() ? Message() : at->second.message;
  auto is_within_another = [&](const std::string& path) {
    return std::ranges::any_of(mask.paths(), [&](const std::string& other) { return path.starts_with(other + "."); });
  };
  for (const std::string& path : mask.paths()) {
    if (!is_within_another(path)) copy_field(message, result, path);
  }
  if (at != map.end()) return put(map, key, result, Mode::kReplace);
  // Malformed whatever the state is, or not there.
  Reasons reasons = faults(result);
  std::erase_if(reasons, [](v1::Reason reason) { return reason != v1::REASON_INVALID; });
  reasons.insert(v1::REASON_NOT_FOUND);
  return reasons;
}

Reasons Reference::remove(const v1::Delete& request) {
  if (request.has_server()) {
    erase(state_.servers, ServerKey(request.server().backend(), request.server().name()));
    return {};
  }
  if (request.has_listener()) {
    erase(state_.listeners, request.listener());
    return {};
  }
  for (const auto& [name, listener] : state_.listeners) {
    if (names(listener.message, request.backend())) return {v1::REASON_IN_USE};
  }
  erase(state_.backends, request.backend());
  std::erase_if(state_.servers, [&](const auto& entry) { return entry.first.first == request.backend(); });
  return {};
}

Reasons Reference::faults(const v1::Listener& listener) const {
  Reasons reasons;
  if (listener.bind().empty()) reasons.insert(v1::REASON_INVALID);
  if (listener.protocol() == v1::PROTOCOL_TCP && (listener.default_backend().empty() || listener.routes_size() > 0)) {
    reasons.insert(v1::REASON_INVALID);
  }
  const v1::ProxyProtocol& proxy = listener.proxy_protocol();
  bool has_bad_network = std::ranges::find(proxy.trusted(), "10.0.0.1/8") != proxy.trusted().end();
  if (has_bad_network || (proxy.allow_others() && proxy.trusted().empty())) reasons.insert(v1::REASON_INVALID);
  if (listener.protocol() == v1::PROTOCOL_TCP && listener.minimum_rates().has_body()) {
    reasons.insert(v1::REASON_INVALID);
  }
  auto is_absent = [&](const std::string& backend) { return !backend.empty() && !state_.backends.contains(backend); };
  if (is_absent(listener.default_backend())) reasons.insert(v1::REASON_NOT_FOUND);
  for (const v1::Route& route : listener.routes()) {
    if (is_absent(route.backend())) reasons.insert(v1::REASON_NOT_FOUND);
    if (route.priority() > 7) reasons.insert(v1::REASON_INVALID);
  }
  for (const std::string& address : listener.bind()) {
    if (is_any_port(address)) continue;
    for (const auto& [name, other] : state_.listeners) {
      if (name == listener.name() || !has_address(other.message, address)) continue;
      // Who gives it up later in a transaction that holds as a whole is in nobody's way.
      auto later = at_end_.find(name);
      bool goes = later != at_end_.end() && !has_address(later->second, address) &&
                  std::ranges::none_of(later->second.bind(), is_any_port);
      if (!goes || address.starts_with("unix:")) reasons.insert(v1::REASON_BIND_FAILED);
    }
    for (const auto& [key, server] : state_.servers) {
      if (server.message.address() == address) reasons.insert(v1::REASON_LOOP);
    }
  }
  return reasons;
}

Reasons Reference::faults(const v1::Backend& backend) const {
  Reasons reasons;
  google::protobuf::Duration timeout = backend.drain().timeout();
  if (!backend.drain().has_timeout()) timeout.set_seconds(30);
  if (timeout < backend.drain().jitter()) reasons.insert(v1::REASON_INVALID);
  if (backend.server_defaults().weight() > 256) reasons.insert(v1::REASON_INVALID);
  if (backend.failover().panic_threshold() > 100) reasons.insert(v1::REASON_INVALID);
  if (backend.slow_start().has_window() && backend.slow_start().window().seconds() == 0) {
    reasons.insert(v1::REASON_INVALID);
  }
  if (backend.balance().has_draws() && backend.balance().draws() == 0) reasons.insert(v1::REASON_INVALID);
  const v1::HashPolicy& hash = backend.balance().hash();
  bool needs_key = backend.balance().algorithm() == v1::ALGORITHM_HASH;
  if (hash.key() == "{host}" || (hash.key().empty() && needs_key)) reasons.insert(v1::REASON_INVALID);
  if (hash.type() > v1::HASH_TYPE_MODULO) reasons.insert(v1::REASON_INVALID);
  if (hash.has_table_size() && hash.table_size() != 251) reasons.insert(v1::REASON_INVALID);
  if (hash.has_balance_factor() && hash.balance_factor() != 125) reasons.insert(v1::REASON_INVALID);
  const v1::CookiePersistence& cookie = backend.persistence().cookie();
  bool is_bad_cookie = cookie.name() != "SRV" || cookie.mode() > v1::COOKIE_MODE_PREFIX;
  if (backend.persistence().has_cookie() && is_bad_cookie) reasons.insert(v1::REASON_INVALID);
  bool has_bad_table = backend.persistence().has_table() && backend.persistence().table().key() != "{source}";
  if (has_bad_table) reasons.insert(v1::REASON_INVALID);
  const v1::HealthCheck& check = backend.health_check();
  bool is_of_no_kind =
      backend.has_health_check() && check.check_case() == v1::HealthCheck::CHECK_NOT_SET && !check.has_agent();
  if (is_of_no_kind || (check.has_rise() && check.rise() == 0)) reasons.insert(v1::REASON_INVALID);
  const v1::Discovery& discovery = backend.discovery();
  bool is_of_no_name = discovery.srv().empty() && discovery.also_size() > 0;
  if (is_of_no_name || discovery.srv().find("..") != std::string::npos) reasons.insert(v1::REASON_INVALID);
  const v1::SendProxyProtocol& send_proxy = backend.send_proxy_protocol();
  if (send_proxy.crc32c() && send_proxy.version() != v1::PROXY_HEADER_V2) reasons.insert(v1::REASON_INVALID);
  if (backend.outlier_detection().consecutive_errors() > 1000) reasons.insert(v1::REASON_INVALID);
  return reasons;
}

Reasons Reference::faults(const v1::Server& server) const {
  Reasons reasons;
  if (server.weight() > 256 || server.address().empty()) reasons.insert(v1::REASON_INVALID);
  if (server.priority() > (server.backup() ? 0u : 15u)) reasons.insert(v1::REASON_INVALID);
  // Nobody follows another one than itself.
  if (!server.health_check().track().empty()) reasons.insert(v1::REASON_INVALID);
  if (!state_.backends.contains(server.backend())) reasons.insert(v1::REASON_NOT_FOUND);
  for (const auto& [name, listener] : state_.listeners) {
    if (has_address(listener.message, server.address())) reasons.insert(v1::REASON_LOOP);
  }
  return reasons;
}

v1::Resources Reference::resources() const {
  v1::Resources all;
  for (const auto& [name, listener] : state_.listeners) *all.add_listeners() = listener.message;
  for (const auto& [name, backend] : state_.backends) *all.add_backends() = backend.message;
  for (const auto& [key, server] : state_.servers) *all.add_servers() = server.message;
  return all;
}

std::string Reference::digest() const { return digest_of(resources()); }

uint64_t Reference::eligible(const std::string& backend) const {
  const v1::ServerDefaults& defaults = state_.backends.at(backend).message.server_defaults();
  return static_cast<uint64_t>(std::ranges::count_if(state_.servers, [&](const auto& entry) {
    const v1::Server& server = entry.second.message;
    if (entry.first.first != backend) return false;
    if (server.has_admin_state() && server.admin_state() != v1::ADMIN_STATE_READY) return false;
    if (server.has_weight()) return server.weight() > 0;
    return !defaults.has_weight() || defaults.weight() > 0;
  }));
}

}  // namespace fairlead::management
