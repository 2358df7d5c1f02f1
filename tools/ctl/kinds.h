// What the common verbs need to know of each kind of resource.
#pragma once

#include <string>
#include <vector>

#include "ctl/arguments.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/resource_options.h"
#include "ctl/values.h"

namespace fairlead::ctl {

struct ServerKind {
  using AddRequest = v1::AddServerRequest;
  using UpdateRequest = v1::UpdateServerRequest;
  using GetRequest = v1::GetServerRequest;
  using ListRequest = v1::ListServersRequest;
  using ListResponse = v1::ListServersResponse;
  static constexpr auto kAdd = &Client::Management::AddServer;
  static constexpr auto kUpdate = &Client::Management::UpdateServer;
  static constexpr auto kGet = &Client::Management::GetServer;
  static constexpr auto kList = &Client::Management::ListServers;
  static constexpr char kWord[] = "server";

  static const v1::Server& resource(const auto& message) { return message.server(); }
  static v1::Server* mutable_resource(auto& message) { return message.mutable_server(); }
  static const auto& resources(const ListResponse& message) { return message.servers(); }
  static std::string title(const v1::Server& server) { return server_title(server); }
  static Table table(const std::vector<v1::Server>& servers) { return server_table(servers); }
  static std::vector<ResourceOption> options() { return server_options(); }
  // An added server's address is an operand; a changed one's an option.
  static std::vector<ResourceOption> set_options();
  static Result<void> name_from(const Arguments& arguments, auto& message) {
    auto name = parse_server_name(arguments.operand(0));
    if (!name) return std::unexpected(name.error());
    message.set_backend(name->backend());
    message.set_name(name->name());
    if constexpr (requires { message.set_address(""); }) message.set_address(arguments.operand(1));
    return {};
  }
  static Result<void> filter_from(const Arguments& arguments, ListRequest& request);
};

struct BackendKind {
  using AddRequest = v1::AddBackendRequest;
  using UpdateRequest = v1::UpdateBackendRequest;
  using GetRequest = v1::GetBackendRequest;
  using ListRequest = v1::ListBackendsRequest;
  using ListResponse = v1::ListBackendsResponse;
  static constexpr auto kAdd = &Client::Management::AddBackend;
  static constexpr auto kUpdate = &Client::Management::UpdateBackend;
  static constexpr auto kGet = &Client::Management::GetBackend;
  static constexpr auto kList = &Client::Management::ListBackends;
  static constexpr char kWord[] = "backend";

  static const v1::Backend& resource(const auto& message) { return message.backend(); }
  static v1::Backend* mutable_resource(auto& message) { return message.mutable_backend(); }
  static const auto& resources(const ListResponse& message) { return message.backends(); }
  static std::string title(const v1::Backend& backend) { return backend.name(); }
  static Table table(const std::vector<v1::Backend>& backends) { return backend_table(backends); }
  static std::vector<ResourceOption> options() { return backend_options(); }
  static std::vector<ResourceOption> set_options() { return backend_options(); }
  static Result<void> name_from(const Arguments& arguments, auto& message) {
    message.set_name(arguments.operand(0));
    return {};
  }
  static Result<void> filter_from(const Arguments&, ListRequest&) { return {}; }
};

struct CertificateKind {
  using GetRequest = v1::GetCertificateRequest;
  using ListRequest = v1::ListCertificatesRequest;
  using ListResponse = v1::ListCertificatesResponse;
  static constexpr auto kGet = &Client::Management::GetCertificate;
  static constexpr auto kList = &Client::Management::ListCertificates;
  static constexpr char kWord[] = "certificate";

  static const v1::Certificate& resource(const auto& message) { return message.certificate(); }
  static const auto& resources(const ListResponse& message) { return message.certificates(); }
  static std::string title(const v1::Certificate& certificate) { return certificate.name(); }
  static Table table(const std::vector<v1::Certificate>& certificates) { return certificate_table(certificates); }
  static Result<void> name_from(const Arguments& arguments, auto& message) {
    message.set_name(arguments.operand(0));
    return {};
  }
  static Result<void> filter_from(const Arguments&, ListRequest&) { return {}; }
};

struct ListenerKind {
  using AddRequest = v1::AddListenerRequest;
  using UpdateRequest = v1::UpdateListenerRequest;
  using GetRequest = v1::GetListenerRequest;
  using ListRequest = v1::ListListenersRequest;
  using ListResponse = v1::ListListenersResponse;
  static constexpr auto kAdd = &Client::Management::AddListener;
  static constexpr auto kUpdate = &Client::Management::UpdateListener;
  static constexpr auto kGet = &Client::Management::GetListener;
  static constexpr auto kList = &Client::Management::ListListeners;
  static constexpr char kWord[] = "listener";

  static const v1::Listener& resource(const auto& message) { return message.listener(); }
  static v1::Listener* mutable_resource(auto& message) { return message.mutable_listener(); }
  static const auto& resources(const ListResponse& message) { return message.listeners(); }
  static std::string title(const v1::Listener& listener) { return listener.name(); }
  static Table table(const std::vector<v1::Listener>& listeners) { return listener_table(listeners); }
  static std::vector<ResourceOption> options() { return listener_options(); }
  static std::vector<ResourceOption> set_options() { return listener_options(); }
  static Result<void> name_from(const Arguments& arguments, auto& message) {
    message.set_name(arguments.operand(0));
    return {};
  }
  static Result<void> filter_from(const Arguments&, ListRequest&) { return {}; }
};

}  // namespace fairlead::ctl
