#include "management/management_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "api/failure.h"
#include "config/text.h"
#include "config/validate.h"
#include "management/explain_call.h"
#include "management/export_stream.h"
#include "management/history_calls.h"
#include "management/messages.h"
#include "management/open_stream.h"
#include "management/paging.h"
#include "management/unary.h"
#include "management/update_session.h"

namespace fairlead::management {
namespace {

using Call = grpc::CallbackServerContext;
using Unary = grpc::ServerUnaryReactor;

grpc::Status not_found(const std::string& title) { return {grpc::StatusCode::NOT_FOUND, title + ": does not exist"}; }

template <typename Resource>
void set_resource(v1::Resource& target, const Resource& resource) {
  if constexpr (std::is_same_v<Resource, v1::Server>) *target.mutable_server() = resource;
  if constexpr (std::is_same_v<Resource, v1::Backend>) *target.mutable_backend() = resource;
  if constexpr (std::is_same_v<Resource, v1::Listener>) *target.mutable_listener() = resource;
  if constexpr (std::is_same_v<Resource, v1::Certificate>) *target.mutable_certificate() = resource;
}

template <typename Resource>
v1::Operation create(const Resource& resource) {
  v1::Operation operation;
  set_resource(*operation.mutable_create(), resource);
  return operation;
}

// Without a mask, every field.
template <typename Resource>
v1::Operation update(const Resource& resource, const google::protobuf::FieldMask& mask) {
  v1::Operation operation;
  if (mask.paths().empty()) {
    set_resource(*operation.mutable_replace(), resource);
  } else {
    set_resource(*operation.mutable_patch()->mutable_resource(), resource);
    *operation.mutable_patch()->mutable_update_mask() = mask;
  }
  return operation;
}

template <typename Item>
constexpr bool kHasTraffic = !std::is_same_v<Item, v1::Certificate>;

// A listing: checks the page, reads one in the store, encodes it with the traffic that the workers tell.
template <typename Item, typename Request, typename Response, typename ReadPage>
Unary* list(const std::shared_ptr<Context>& context, Call* call, const Request* request, Response* response,
            const ReadPage& read_page, google::protobuf::RepeatedPtrField<Item>* (Response::*items)()) {
  std::string query = query_text(*request);
  std::optional<size_t> size = read_page_size(request->page_size());
  if (!size) {
    return refuse(call, invalid(config::concat("page_size: ", request->page_size(), " is out of range [0, 1000]")));
  }
  std::optional<std::string> after = read_page_token(query, request->page_token());
  if (!after) {
    return refuse(call, invalid("page_token: is not one that the same query got; leave it empty for the first page"));
  }
  store::PageRequest wanted{*std::move(after), *size};
  return read_with_traffic(context, [=](store::Reader& reader) -> RestWithTraffic {
    auto page = read_page(reader, wanted);
    std::vector<observe::Carrier> carriers;
    if (page) {
      for (const auto& view : page->items) {
        if constexpr (kHasTraffic<Item>) carriers.push_back(carrier_of(view));
      }
    }
    auto rest = [=, page = std::move(page)](const std::vector<observe::Traffic>& traffic) {
      if (!page) return invalid("page_token: is not one that the same query got");
      for (size_t i = 0; i < page->items.size(); ++i) {
        Item& item = *(response->*items)()->Add();
        encode(page->items[i], item);
        if constexpr (kHasTraffic<Item>) set_traffic(item, traffic[i]);
      }
      response->set_version(page->version);
      if (page->next) response->set_next_page_token(make_page_token(query, *page->next));
      return grpc::Status::OK;
    };
    return {std::move(carriers), std::move(rest)};
  });
}

// `find` has what it needs of the request: a call that is cancelled takes its request with it.
template <typename Message, typename Find>
Unary* get(const std::shared_ptr<Context>& context, const std::string& title, Message* message, const Find& find) {
  return read_with_traffic(context, [=](store::Reader& reader) -> RestWithTraffic {
    auto view = find(reader);
    std::vector<observe::Carrier> carriers;
    if (view) carriers.push_back(carrier_of(*view));
    auto rest = [=](const std::vector<observe::Traffic>& traffic) {
      if (!view) return not_found(title);
      encode(*view, *message);
      set_traffic(*message, traffic.at(0));
      return grpc::Status::OK;
    };
    return {std::move(carriers), std::move(rest)};
  });
}

config::Labels to_labels(const google::protobuf::Map<std::string, std::string>& labels) {
  config::Labels sorted(labels.begin(), labels.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

}  // namespace

auto ManagementService::begin_session(Server* call, std::optional<grpc::Status> refusal)
    -> grpc::ServerBidiReactor<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>* {
  return open_stream<UpdateSession>(context_, call, std::move(refusal));
}

Unary* ManagementService::ApplyTransaction(Server* call, const v1::ApplyTransactionRequest* request,
                                           v1::ApplyTransactionResponse* response) {
  if (!v1::AcknowledgementLevel_IsValid(request->acknowledgement_level())) {
    return refuse(call, invalid("acknowledgement_level: is not known; it is one of ACCEPTED, ACTIVE"));
  }
  bool accepted = request->acknowledgement_level() == v1::ACKNOWLEDGEMENT_LEVEL_ACCEPTED;
  store::ApplyOptions options{.level = accepted ? store::AcknowledgementLevel::kAccepted
                                                : store::AcknowledgementLevel::kActive};
  bool is_named = !request->client_name().empty();
  if (is_named) {
    if (config::Problem problem = config::check_name(request->client_name())) {
      return refuse(call, invalid("client_name: " + *problem));
    }
    if (request->transaction().id() == 0) {
      return refuse(call, invalid("transaction.id: is 0; with a client_name, ids are above 0"));
    }
  }
  std::shared_ptr<const Peer> peer = context_->peers.find(call->peer());
  auto origin = std::make_shared<const store::Origin>(is_named ? request->client_name() : "unary", peer->text());
  auto answered = UnaryCall::open(context_);
  store::Transaction transaction =
      store::make_transaction(request->transaction(), context_->store.limits(), std::move(origin));
  transaction.fence = decode_fence(request->fence());
  bool is_denied = context_->guard.restrict(*peer, request->transaction(), request->fence(), transaction);
  auto done = [answered, response](store::Result result) {
    answered->answer([response, result = std::move(result)] {
      encode(result, *response->mutable_result());
      bool lost = !result.failures.empty() && result.failures.front().failure.reason == v1::REASON_SHUTTING_DOWN;
      return lost ? to_status(result) : grpc::Status::OK;
    });
  };
  if (is_named && !transaction.validate_only && !is_denied) {
    transaction.fingerprint = store::fingerprint_of(request->transaction());
    apply_once(context_, std::move(transaction), options, std::move(done));
  } else {
    context_->store.apply(std::move(transaction), options, std::move(done));
  }
  return answered.get();
}

// --- servers ---

Unary* ManagementService::AddServer(Server* call, const v1::AddServerRequest* request,
                                    v1::AddServerResponse* response) {
  return write(
      context_, call, request->fence(), create(request->server()), false,
      [response](const store::Result& result) { encode(*result.touched.server, *response->mutable_server()); });
}

Unary* ManagementService::UpdateServer(Server* call, const v1::UpdateServerRequest* request,
                                       v1::UpdateServerResponse* response) {
  return write(
      context_, call, request->fence(), update(request->server(), request->update_mask()), false,
      [response](const store::Result& result) { encode(*result.touched.server, *response->mutable_server()); });
}

Unary* ManagementService::DeleteServer(Server* call, const v1::DeleteServerRequest* request,
                                       v1::DeleteServerResponse* response) {
  v1::Operation operation;
  operation.mutable_delete_()->mutable_server()->set_backend(request->backend());
  operation.mutable_delete_()->mutable_server()->set_name(request->name());
  if (request->has_drain()) *operation.mutable_delete_()->mutable_drain() = request->drain();
  return write(context_, call, request->fence(), operation, request->wait(), [response](const store::Result& result) {
    response->set_existed(result.touched.existed);
    response->set_version(result.version);
    response->set_cut_off(result.cut_off);
  });
}

Unary* ManagementService::GetServer(Server*, const v1::GetServerRequest* request, v1::GetServerResponse* response) {
  return get(context_, api::server_title(request->backend(), request->name()), response->mutable_server(),
             [backend = request->backend(), name = request->name()](const store::Reader& reader) {
               return reader.find_server(backend, name);
             });
}

Unary* ManagementService::ListServers(Server* call, const v1::ListServersRequest* request,
                                      v1::ListServersResponse* response) {
  store::ServerQuery query{request->backend(), to_labels(request->labels()), {}};
  for (int lifecycle : request->lifecycles()) {
    if (lifecycle == 0 || !v1::Lifecycle_IsValid(lifecycle)) {
      return refuse(call, invalid(config::concat("lifecycles: ", lifecycle,
                                                 " is not known; each is one of PENDING, READY, DRAINING, DRAINED, "
                                                 "MAINTENANCE, REMOVED")));
    }
    query.lifecycles.push_back(static_cast<v1::Lifecycle>(lifecycle));
  }
  return list<v1::Server>(
      context_, call, request, response,
      [query](store::Reader& reader, const store::PageRequest& page) { return reader.list_servers(query, page); },
      &v1::ListServersResponse::mutable_servers);
}

// --- backends ---

Unary* ManagementService::AddBackend(Server* call, const v1::AddBackendRequest* request,
                                     v1::AddBackendResponse* response) {
  return write(
      context_, call, request->fence(), create(request->backend()), false,
      [response](const store::Result& result) { encode(*result.touched.backend, *response->mutable_backend()); });
}

Unary* ManagementService::UpdateBackend(Server* call, const v1::UpdateBackendRequest* request,
                                        v1::UpdateBackendResponse* response) {
  return write(
      context_, call, request->fence(), update(request->backend(), request->update_mask()), false,
      [response](const store::Result& result) { encode(*result.touched.backend, *response->mutable_backend()); });
}

Unary* ManagementService::DeleteBackend(Server* call, const v1::DeleteBackendRequest* request,
                                        v1::DeleteBackendResponse* response) {
  v1::Operation operation;
  operation.mutable_delete_()->set_backend(request->name());
  if (request->has_drain()) *operation.mutable_delete_()->mutable_drain() = request->drain();
  return write(context_, call, request->fence(), operation, false, [response](const store::Result& result) {
    response->set_existed(result.touched.existed);
    response->set_version(result.version);
  });
}

Unary* ManagementService::GetBackend(Server*, const v1::GetBackendRequest* request, v1::GetBackendResponse* response) {
  return get(context_, api::backend_title(request->name()), response->mutable_backend(),
             [name = request->name()](const store::Reader& reader) { return reader.find_backend(name); });
}

Unary* ManagementService::ListBackends(Server* call, const v1::ListBackendsRequest* request,
                                       v1::ListBackendsResponse* response) {
  return list<v1::Backend>(
      context_, call, request, response,
      [labels = to_labels(request->labels())](store::Reader& reader, const store::PageRequest& page) {
        return std::optional(reader.list_backends(labels, page));
      },
      &v1::ListBackendsResponse::mutable_backends);
}

// --- listeners ---

Unary* ManagementService::AddListener(Server* call, const v1::AddListenerRequest* request,
                                      v1::AddListenerResponse* response) {
  return write(
      context_, call, request->fence(), create(request->listener()), false,
      [response](const store::Result& result) { encode(*result.touched.listener, *response->mutable_listener()); });
}

Unary* ManagementService::UpdateListener(Server* call, const v1::UpdateListenerRequest* request,
                                         v1::UpdateListenerResponse* response) {
  return write(
      context_, call, request->fence(), update(request->listener(), request->update_mask()), false,
      [response](const store::Result& result) { encode(*result.touched.listener, *response->mutable_listener()); });
}

Unary* ManagementService::DeleteListener(Server* call, const v1::DeleteListenerRequest* request,
                                         v1::DeleteListenerResponse* response) {
  v1::Operation operation;
  operation.mutable_delete_()->set_listener(request->name());
  return write(context_, call, request->fence(), operation, false, [response](const store::Result& result) {
    response->set_existed(result.touched.existed);
    response->set_version(result.version);
  });
}

Unary* ManagementService::GetListener(Server*, const v1::GetListenerRequest* request,
                                      v1::GetListenerResponse* response) {
  return get(context_, api::listener_title(request->name()), response->mutable_listener(),
             [name = request->name()](const store::Reader& reader) { return reader.find_listener(name); });
}

Unary* ManagementService::ListListeners(Server* call, const v1::ListListenersRequest* request,
                                        v1::ListListenersResponse* response) {
  return list<v1::Listener>(
      context_, call, request, response,
      [labels = to_labels(request->labels())](store::Reader& reader, const store::PageRequest& page) {
        return std::optional(reader.list_listeners(labels, page));
      },
      &v1::ListListenersResponse::mutable_listeners);
}

// --- certificates ---

Unary* ManagementService::AddCertificate(Server* call, const v1::AddCertificateRequest* request,
                                         v1::AddCertificateResponse* response) {
  return write(context_, call, request->fence(), create(request->certificate()), false,
               [response](const store::Result& result) {
                 encode(*result.touched.certificate, *response->mutable_certificate());
               });
}

Unary* ManagementService::UpdateCertificate(Server* call, const v1::UpdateCertificateRequest* request,
                                            v1::UpdateCertificateResponse* response) {
  return write(context_, call, request->fence(), update(request->certificate(), request->update_mask()), false,
               [response](const store::Result& result) {
                 encode(*result.touched.certificate, *response->mutable_certificate());
               });
}

Unary* ManagementService::DeleteCertificate(Server* call, const v1::DeleteCertificateRequest* request,
                                            v1::DeleteCertificateResponse* response) {
  v1::Operation operation;
  operation.mutable_delete_()->set_certificate(request->name());
  return write(context_, call, request->fence(), operation, false, [response](const store::Result& result) {
    response->set_existed(result.touched.existed);
    response->set_version(result.version);
  });
}

Unary* ManagementService::GetCertificate(Server*, const v1::GetCertificateRequest* request,
                                         v1::GetCertificateResponse* response) {
  return read(context_, [response, name = request->name()](store::Reader& reader) -> Rest {
    return [response, name, view = reader.find_certificate(name)] {
      if (!view) return not_found(api::certificate_title(name));
      encode(*view, *response->mutable_certificate());
      return grpc::Status::OK;
    };
  });
}

Unary* ManagementService::ListCertificates(Server* call, const v1::ListCertificatesRequest* request,
                                           v1::ListCertificatesResponse* response) {
  return list<v1::Certificate>(
      context_, call, request, response,
      [labels = to_labels(request->labels())](store::Reader& reader, const store::PageRequest& page) {
        return std::optional(reader.list_certificates(labels, page));
      },
      &v1::ListCertificatesResponse::mutable_certificates);
}

// --- the whole ---

auto ManagementService::ExportConfig(Server* call, const v1::ExportConfigRequest*)
    -> grpc::ServerWriteReactor<v1::ExportConfigResponse>* {
  return open_stream<ExportStream>(context_, call);
}

Unary* ManagementService::GetInfo(Server* call, const v1::GetInfoRequest*, v1::GetInfoResponse* response) {
  // The store's thread is not asked: it may be waiting for the disk, and then its journal's state is what one asks for.
  const store::Facts::Configuration configuration = context_->store.facts().configuration();
  std::shared_ptr<const Peer> peer = context_->peers.find(call->peer());
  response->set_build(context_->build);
  response->set_epoch(context_->store.epoch());
  response->set_version(configuration.version);
  for (const char* capability : {"transactions", "stream_updates", "election", "resync", "watch_events", "watch_resume",
                                 "stream_statistics", "export"}) {
    response->add_capabilities(capability);
  }
  *response->mutable_limits() = limits_of(*context_);
  if (configuration.highest_election_id != store::ElectionId{}) {
    encode(configuration.highest_election_id, *response->mutable_highest_election_id());
  }
  response->set_digest(configuration.digest.bytes());
  encode_journal(context_->store, *response->mutable_journal());
  response->set_workers(context_->workers);
  auto uptime = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - context_->started);
  response->mutable_uptime()->set_seconds(uptime.count());
  response->set_servers(configuration.counts.servers);
  response->set_backends(configuration.counts.backends);
  response->set_listeners(configuration.counts.listeners);
  response->mutable_caller()->set_name(peer->name.empty() ? peer->address : peer->name);
  response->mutable_caller()->set_role(peer->role);
  Unary* reactor = call->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

// --- history ---

Unary* ManagementService::ListHistory(Server* call, const v1::ListHistoryRequest* request,
                                      v1::ListHistoryResponse* response) {
  return list_history(context_, call, *request, *response);
}

auto ManagementService::DiffVersions(Server* call, const v1::DiffVersionsRequest* request)
    -> grpc::ServerWriteReactor<v1::DiffVersionsResponse>* {
  return open_stream<DiffStream>(context_, call, *request);
}

Unary* ManagementService::Rollback(Server* call, const v1::RollbackRequest* request, v1::RollbackResponse* response) {
  return roll_back(context_, call, *request, *response);
}

Unary* ManagementService::GetTransaction(Server* call, const v1::GetTransactionRequest* request,
                                         v1::GetTransactionResponse* response) {
  return get_transaction(context_, call, *request, *response);
}

Unary* ManagementService::ExplainPick(Server* call, const v1::ExplainPickRequest* request,
                                      v1::ExplainPickResponse* response) {
  return explain_pick(context_, call, *request, *response);
}

}  // namespace fairlead::management
