#include "desired/configuration.h"

#include <ranges>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::desired {
namespace {

namespace api = fairlead::v1;

absl::Status wrong(const std::string& place, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", why));
}

}  // namespace

std::string to_string(const Key& key) {
  switch (key.kind) {
    case Kind::kListener:
      return absl::StrCat("listener ", key.name);
    case Kind::kBackend:
      return absl::StrCat("backend ", key.name);
    case Kind::kCertificate:
      return absl::StrCat("certificate ", key.name);
    case Kind::kServer:
      break;
  }
  return absl::StrCat("server ", key.backend, "/", key.name);
}

absl::StatusOr<std::shared_ptr<const Configuration>> Configuration::make(api::Resources resources) {
  auto made = std::make_shared<Configuration>();
  absl::Status status;
  for (int i = 0; i < resources.listeners_size() && status.ok(); ++i) {
    status = made->add_listener(std::move(*resources.mutable_listeners(i)), absl::StrCat("listeners[", i, "]"));
  }
  for (int i = 0; i < resources.backends_size() && status.ok(); ++i) {
    status = made->add_backend(std::move(*resources.mutable_backends(i)), absl::StrCat("backends[", i, "]"));
  }
  for (int i = 0; i < resources.servers_size() && status.ok(); ++i) {
    status = made->add_server(std::move(*resources.mutable_servers(i)), absl::StrCat("servers[", i, "]"));
  }
  for (int i = 0; i < resources.certificates_size() && status.ok(); ++i) {
    status =
        made->add_certificate(std::move(*resources.mutable_certificates(i)), absl::StrCat("certificates[", i, "]"));
  }
  if (!status.ok()) return status;
  Digest digest;
  for (const Entry& entry : made->entries_ | std::views::values) digest.add(entry.hash);
  made->digest_ = digest.bytes();
  return made;
}

absl::Status Configuration::add_listener(api::Listener listener, const std::string& place) {
  normalize(listener);
  Key key{Kind::kListener, "", listener.name()};
  api::Resource resource;
  *resource.mutable_listener() = std::move(listener);
  return add(std::move(key), std::move(resource), place);
}

absl::Status Configuration::add_backend(api::Backend backend, const std::string& place) {
  google::protobuf::RepeatedPtrField<api::Server> servers = std::move(*backend.mutable_servers());
  normalize(backend);
  const std::string name = backend.name();
  api::Resource resource;
  *resource.mutable_backend() = std::move(backend);
  absl::Status status = add({Kind::kBackend, "", name}, std::move(resource), place);
  for (int i = 0; i < servers.size() && status.ok(); ++i) {
    api::Server& server = servers[i];
    const std::string within = absl::StrCat(place, ".servers[", i, "]");
    if (server.backend().empty()) server.set_backend(name);
    if (server.backend() != name) {
      return wrong(within + ".backend", absl::StrCat("\"", server.backend(), "\" is not the backend it stands in, \"",
                                                     name, "\"; leave it out"));
    }
    status = add_server(std::move(server), within);
  }
  return status;
}

absl::Status Configuration::add_certificate(api::Certificate certificate, const std::string& place) {
  normalize(certificate);
  Key key{Kind::kCertificate, "", certificate.name()};
  api::Resource resource;
  *resource.mutable_certificate() = std::move(certificate);
  return add(std::move(key), std::move(resource), place);
}

absl::Status Configuration::add_server(api::Server server, const std::string& place) {
  normalize(server);
  if (server.backend().empty()) return wrong(place, "has no backend");
  Key key{Kind::kServer, server.backend(), server.name()};
  if (!entries_.contains({Kind::kBackend, "", key.backend})) {
    return wrong(place + ".backend", absl::StrCat("there is no backend \"", key.backend, "\""));
  }
  api::Resource resource;
  *resource.mutable_server() = std::move(server);
  return add(std::move(key), std::move(resource), place);
}

absl::Status Configuration::add(Key key, api::Resource resource, const std::string& place) {
  if (key.name.empty()) return wrong(place, "has no name");
  const Digest::Hash hash = Digest::hash(resource);
  const auto [entry, added] = entries_.try_emplace(std::move(key), Entry{std::move(resource), hash});
  if (!added) return wrong(place + ".name", absl::StrCat(to_string(entry->first), " is there twice"));
  return absl::OkStatus();
}

}  // namespace fairlead::desired
