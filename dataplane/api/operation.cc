#include "api/operation.h"

#include <map>

#include "api/certificate.h"
#include "api/patch.h"
#include "config/text.h"
#include "config/validate.h"

namespace fairlead::api {
namespace {

using config::concat;

Failure without_kind(std::string_view what) {
  return {v1::REASON_INVALID, "operation", std::string(what),
          "is not set; it names a listener, a backend, a server or a certificate"};
}

std::optional<Failure> decode_write(const v1::Server& server, WriteMode mode, uint32_t index,
                                    std::vector<Operation>& out) {
  Decoded<ServerDraft> draft = decode_server(server);
  if (!draft) return std::move(draft.error());
  out.push_back({index, WriteServer{mode, *std::move(draft)}});
  return std::nullopt;
}

// The shorthand: as if an operation for each followed.
std::optional<Failure> decode_shorthand(const v1::Backend& backend, WriteMode mode, uint32_t index,
                                        std::vector<Operation>& out) {
  std::map<std::string, int> seen;
  for (int i = 0; i < backend.servers_size(); ++i) {
    v1::Server server = backend.servers(i);
    std::string field = concat("servers[", i, "]");
    auto [first, added] = seen.try_emplace(server.name(), i);
    if (!added) {
      return Failure{v1::REASON_INVALID, backend_title(backend.name()), field + ".name",
                     concat(config::quoted(server.name()), " duplicates servers[", first->second, "]")};
    }
    if (server.backend().empty()) server.set_backend(backend.name());
    if (server.backend() != backend.name()) {
      return Failure{v1::REASON_INVALID, backend_title(backend.name()), field + ".backend",
                     concat(config::quoted(server.backend()), " is another backend; leave it empty here")};
    }
    if (std::optional<Failure> failure = decode_write(server, mode, index, out)) {
      failure->field = concat(field, ".", failure->field);
      return failure;
    }
  }
  return std::nullopt;
}

std::optional<Failure> decode_write(const v1::Backend& backend, WriteMode mode, uint32_t index,
                                    std::vector<Operation>& out) {
  Decoded<base::Ref<config::Backend>> draft = decode_backend(backend);
  if (!draft) return std::move(draft.error());
  out.push_back({index, WriteBackend{mode, *std::move(draft)}});
  return decode_shorthand(backend, mode, index, out);
}

std::optional<Failure> decode_write(const v1::Listener& listener, WriteMode mode, uint32_t index,
                                    std::vector<Operation>& out) {
  Decoded<base::Ref<config::Listener>> draft = decode_listener(listener);
  if (!draft) return std::move(draft.error());
  out.push_back({index, WriteListener{mode, *std::move(draft)}});
  return std::nullopt;
}

std::optional<Failure> decode_write(const v1::Certificate& certificate, WriteMode mode, uint32_t index,
                                    std::vector<Operation>& out) {
  Decoded<base::Ref<config::Certificate>> draft = decode_certificate(certificate);
  if (!draft) return std::move(draft.error());
  out.push_back({index, WriteCertificate{mode, *std::move(draft)}});
  return std::nullopt;
}

std::optional<Failure> decode_write(const v1::Resource& resource, WriteMode mode, uint32_t index,
                                    std::vector<Operation>& out) {
  switch (resource.kind_case()) {
    case v1::Resource::kServer:
      return decode_write(resource.server(), mode, index, out);
    case v1::Resource::kBackend:
      return decode_write(resource.backend(), mode, index, out);
    case v1::Resource::kListener:
      return decode_write(resource.listener(), mode, index, out);
    case v1::Resource::kCertificate:
      return decode_write(resource.certificate(), mode, index, out);
    case v1::Resource::KIND_NOT_SET:
      return without_kind("resource");
  }
  return without_kind("resource");
}

std::optional<Failure> check_delete_name(std::string_view field, const std::string& name, std::string title) {
  config::Problem problem = config::check_name(name);
  if (!problem) return std::nullopt;
  return Failure{v1::REASON_INVALID, std::move(title), std::string(field), *std::move(problem)};
}

std::optional<Failure> decode_delete_server(const v1::Delete& request, uint32_t index, std::vector<Operation>& out) {
  const v1::ServerName& name = request.server();
  std::string title = server_title(name.backend(), name.name());
  if (auto failure = check_delete_name("backend", name.backend(), title)) return failure;
  if (auto failure = check_delete_name("name", name.name(), title)) return failure;
  Decoded<config::DrainPolicy> drain = decode_drain(request.drain(), title);
  if (!drain) return std::move(drain.error());
  out.push_back({index, DeleteServer{name.backend(), name.name(), *drain}});
  return std::nullopt;
}

std::optional<Failure> decode_delete_backend(const v1::Delete& request, uint32_t index, std::vector<Operation>& out) {
  std::string title = backend_title(request.backend());
  if (auto failure = check_delete_name("name", request.backend(), title)) return failure;
  Decoded<config::DrainPolicy> drain = decode_drain(request.drain(), title);
  if (!drain) return std::move(drain.error());
  out.push_back({index, DeleteBackend{request.backend(), *drain}});
  return std::nullopt;
}

std::optional<Failure> decode_delete_listener(const v1::Delete& request, uint32_t index, std::vector<Operation>& out) {
  std::string title = listener_title(request.listener());
  if (auto failure = check_delete_name("name", request.listener(), title)) return failure;
  if (request.has_drain()) {
    return Failure{v1::REASON_INVALID, title, "drain", "is for servers and backends; a listener has none"};
  }
  out.push_back({index, DeleteListener{request.listener()}});
  return std::nullopt;
}

std::optional<Failure> decode_delete_certificate(const v1::Delete& request, uint32_t index,
                                                 std::vector<Operation>& out) {
  std::string title = certificate_title(request.certificate());
  if (auto failure = check_delete_name("name", request.certificate(), title)) return failure;
  if (request.has_drain()) {
    return Failure{v1::REASON_INVALID, title, "drain", "is for servers and backends; a certificate has none"};
  }
  out.push_back({index, DeleteCertificate{request.certificate()}});
  return std::nullopt;
}

std::optional<Failure> decode_delete(const v1::Delete& request, uint32_t index, std::vector<Operation>& out) {
  switch (request.name_case()) {
    case v1::Delete::kServer:
      return decode_delete_server(request, index, out);
    case v1::Delete::kBackend:
      return decode_delete_backend(request, index, out);
    case v1::Delete::kListener:
      return decode_delete_listener(request, index, out);
    case v1::Delete::kCertificate:
      return decode_delete_certificate(request, index, out);
    case v1::Delete::NAME_NOT_SET:
      return without_kind("delete.name");
  }
  return without_kind("delete.name");
}

}  // namespace

std::optional<Failure> decode_operation(const v1::Operation& operation, uint32_t index, std::vector<Operation>& out) {
  switch (operation.action_case()) {
    case v1::Operation::kUpsert:
      return decode_write(operation.upsert(), WriteMode::kUpsert, index, out);
    case v1::Operation::kCreate:
      return decode_write(operation.create(), WriteMode::kCreate, index, out);
    case v1::Operation::kReplace:
      return decode_write(operation.replace(), WriteMode::kReplace, index, out);
    case v1::Operation::kPatch:
      if (std::optional<Failure> failure = check_patch(operation.patch())) return failure;
      out.push_back({index, PatchResource{operation.patch()}});
      return std::nullopt;
    case v1::Operation::kDelete:
      return decode_delete(operation.delete_(), index, out);
    case v1::Operation::ACTION_NOT_SET:
      break;
  }
  return Failure{v1::REASON_INVALID, "operation", "action",
                 "is not set; it is one of upsert, create, replace, patch, delete"};
}

namespace {

using Kind = ResourceName::Kind;

struct NameOfAction {
  ResourceName operator()(const WriteServer& write) const {
    return {Kind::kServer, write.draft.backend, write.draft.record->name};
  }
  ResourceName operator()(const WriteBackend& write) const { return {Kind::kBackend, "", write.draft->name}; }
  ResourceName operator()(const WriteListener& write) const { return {Kind::kListener, "", write.draft->name}; }
  ResourceName operator()(const WriteCertificate& write) const { return {Kind::kCertificate, "", write.draft->name}; }
  ResourceName operator()(const PatchResource& patch) const {
    const v1::Resource& resource = patch.patch.resource();
    if (resource.has_server()) return {Kind::kServer, resource.server().backend(), resource.server().name()};
    if (resource.has_backend()) return {Kind::kBackend, "", resource.backend().name()};
    if (resource.has_certificate()) return {Kind::kCertificate, "", resource.certificate().name()};
    return {Kind::kListener, "", resource.listener().name()};
  }
  ResourceName operator()(const DeleteServer& request) const { return {Kind::kServer, request.backend, request.name}; }
  ResourceName operator()(const DeleteBackend& request) const { return {Kind::kBackend, "", request.name}; }
  ResourceName operator()(const DeleteListener& request) const { return {Kind::kListener, "", request.name}; }
  ResourceName operator()(const DeleteCertificate& request) const { return {Kind::kCertificate, "", request.name}; }
};

void append_names(const v1::Resource& resource, std::vector<ResourceName>& out) {
  if (resource.has_listener()) out.push_back({Kind::kListener, "", resource.listener().name()});
  if (resource.has_certificate()) out.push_back({Kind::kCertificate, "", resource.certificate().name()});
  if (resource.has_server()) out.push_back({Kind::kServer, resource.server().backend(), resource.server().name()});
  if (!resource.has_backend()) return;
  out.push_back({Kind::kBackend, "", resource.backend().name()});
  for (const v1::Server& server : resource.backend().servers()) {
    out.push_back({Kind::kServer, resource.backend().name(), server.name()});
  }
}

void append_names(const v1::Delete& request, std::vector<ResourceName>& out) {
  if (request.has_listener()) out.push_back({Kind::kListener, "", request.listener()});
  if (request.has_certificate()) out.push_back({Kind::kCertificate, "", request.certificate()});
  if (request.has_backend()) out.push_back({Kind::kBackend, "", request.backend()});
  if (request.has_server()) out.push_back({Kind::kServer, request.server().backend(), request.server().name()});
}

}  // namespace

ResourceName name_of(const Action& action) { return std::visit(NameOfAction{}, action); }

std::string title_of(const ResourceName& name) {
  switch (name.kind) {
    case Kind::kListener:
      return listener_title(name.name);
    case Kind::kBackend:
      return backend_title(name.name);
    case Kind::kServer:
      return server_title(name.backend, name.name);
    case Kind::kCertificate:
      return certificate_title(name.name);
  }
  return "";
}

void append_names(const v1::Operation& operation, std::vector<ResourceName>& out) {
  switch (operation.action_case()) {
    case v1::Operation::kUpsert:
      return append_names(operation.upsert(), out);
    case v1::Operation::kCreate:
      return append_names(operation.create(), out);
    case v1::Operation::kReplace:
      return append_names(operation.replace(), out);
    case v1::Operation::kPatch:
      return append_names(operation.patch().resource(), out);
    case v1::Operation::kDelete:
      return append_names(operation.delete_(), out);
    case v1::Operation::ACTION_NOT_SET:
      return;
  }
}

std::vector<v1::Operation> upserts_of(const v1::Resources& resources) {
  std::vector<v1::Operation> operations;
  for (const v1::Certificate& certificate : resources.certificates()) {
    *operations.emplace_back().mutable_upsert()->mutable_certificate() = certificate;
  }
  for (const v1::Backend& backend : resources.backends()) {
    *operations.emplace_back().mutable_upsert()->mutable_backend() = backend;
  }
  for (const v1::Server& server : resources.servers()) {
    *operations.emplace_back().mutable_upsert()->mutable_server() = server;
  }
  for (const v1::Listener& listener : resources.listeners()) {
    *operations.emplace_back().mutable_upsert()->mutable_listener() = listener;
  }
  return operations;
}

}  // namespace fairlead::api
