#include "management/management_server.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "config/text.h"
#include "config/validate.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "management/context.h"
#include "management/front_door.h"
#include "management/guarded_services.h"
#include "management/streams.h"
#include "net/socket.h"
#include "net/socket_file.h"

namespace fairlead::management {
namespace {

using config::concat;

absl::Status clear_way(const std::string& text, const config::Endpoint& endpoint) {
  std::optional<std::string> problem = net::clear_path(std::get<config::UnixEndpoint>(endpoint.value()));
  if (!problem) return absl::OkStatus();
  return absl::AlreadyExistsError(concat("management.listen: ", config::quoted(text), " ", *problem));
}

absl::StatusOr<int> open_one(const std::string& text, OnTcp on_tcp) {
  if (config::Problem problem = check_listen(text, on_tcp)) {
    return absl::InvalidArgumentError("management.listen: " + *problem);
  }
  config::Endpoint endpoint = config::Endpoint::parse(text).value();
  if (endpoint.is_unix()) {
    if (absl::Status free = clear_way(text, endpoint); !free.ok()) return free;
  }
  absl::StatusOr<int> fd = net::listen_alone(endpoint);
  if (fd.ok()) return fd;
  return absl::FailedPreconditionError(
      concat("management.listen: cannot be bound: ", std::string(fd.status().message())));
}

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 100);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8 << 10);
  // A peer that has gone without a word is noticed within 20 s + 20 s.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Clients may ping as often as once in 5 s; those that do it faster are sent away.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  grpc::ResourceQuota quota("management");
  quota.Resize(size_t{256} << 20);
  builder.SetResourceQuota(quota);
}

// Until the executor ends.
void watch_silence(const std::shared_ptr<Context>& context) {
  context->executor.post_at(Executor::Clock::now() + context->silence / 4, [context] {
    context->streams.end_silent(Executor::Clock::now());
    watch_silence(context);
  });
}

// Between a connection and the first call on it.
constexpr std::chrono::milliseconds kFirstCallPatience(300);

// As watch_silence(), where it may wait for the disk.
void watch_files(const std::shared_ptr<Context>& context, const std::shared_ptr<Credentials>& credentials) {
  auto when = Executor::Clock::now() + credentials->settings().check_interval;
  context->reading.post_at(when, [context, credentials] {
    credentials->refresh(*context->counts);
    watch_files(context, credentials);
  });
}

FrontDoor::Speaks spoken_at(const config::Endpoint& endpoint, OnTcp on_tcp) {
  if (endpoint.is_unix()) return FrontDoor::Speaks::kUnix;
  return on_tcp == OnTcp::kTls ? FrontDoor::Speaks::kTls : FrontDoor::Speaks::kClearText;
}

}  // namespace

config::Problem check_listen(const std::string& text, OnTcp on_tcp) {
  absl::StatusOr<config::Endpoint> endpoint = config::Endpoint::parse(text);
  if (!endpoint.ok()) return std::string(endpoint.status().message());
  if (endpoint->is_unix() || on_tcp == OnTcp::kTls) return std::nullopt;
  if (on_tcp == OnTcp::kNothing) {
    return concat(config::quoted(text),
                  " is TCP, where anybody may connect; set tls, use unix:/path, or (on loopback) set insecure");
  }
  if (endpoint->is_loopback()) return std::nullopt;
  return concat(config::quoted(text), " is not a loopback address; use 127.0.0.1 or [::1], or set tls");
}

absl::StatusOr<std::vector<Listening>> open_addresses(const ServerOptions& options, const Inherit& inherit) {
  if (options.listen.empty())
    return absl::InvalidArgumentError("management.listen: is empty; name at least one address");
  std::vector<Listening> result;
  for (const std::string& text : options.listen) {
    Inherited inherited = inherit ? inherit(text) : Inherited();
    if (!inherited.socket) {
      absl::StatusOr<int> fd = open_one(text, options.on_tcp());
      if (!fd.ok()) return fd.status();
      inherited = {base::Descriptor(*fd), net::SocketFile(net::bound_address(*fd))};
    }
    config::Endpoint bound = net::bound_address(inherited.socket.get());
    result.push_back({text, std::move(bound), std::move(inherited.socket), std::move(inherited.file)});
  }
  return result;
}

struct ManagementServer::Parts {
  Parts(const ServerOptions& options, store::Store& store, observe::Collector& collector)
      : context(new Context{store, collector, options.build, options.workers, options.sessions_max, options.silence,
                            std::chrono::steady_clock::now(), options.counts}),
        credentials(options.tls) {
    watch_silence(context);
    if (credentials) watch_files(context, credentials);
  }
  ~Parts() { stop_threads(); }

  // What reads may still owe an answer; that comes to the executor.
  void stop_threads() {
    context->searching.stop();
    context->reading.stop();
    context->executor.stop();
  }

  std::shared_ptr<Context> context;
  std::shared_ptr<Credentials> credentials;
  GuardedManagement management{context};
  GuardedObservation observation{context};
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
  std::vector<Listening> listening;
  std::unique_ptr<FrontDoor> door;
  // When somebody was let in last.
  std::atomic<std::chrono::steady_clock::time_point> last_arrival{};
};

absl::StatusOr<std::unique_ptr<ManagementServer>> ManagementServer::start(const ServerOptions& options,
                                                                          store::Store& store,
                                                                          observe::Collector& collector) {
  absl::StatusOr<std::vector<Listening>> listening = open_addresses(options);
  if (!listening.ok()) return listening.status();
  return start_on(*std::move(listening), options, store, collector);
}

absl::StatusOr<std::unique_ptr<ManagementServer>> ManagementServer::start_on(std::vector<Listening> listening,
                                                                             const ServerOptions& options,
                                                                             store::Store& store,
                                                                             observe::Collector& collector) {
  auto parts = std::make_unique<Parts>(options, store, collector);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  set_limits(builder);
  using Acceptor = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  parts->acceptor =
      builder.experimental().AddExternalConnectionAcceptor(Acceptor::FROM_FD, grpc::InsecureServerCredentials());
  builder.RegisterService(&parts->management);
  builder.RegisterService(&parts->observation);
  parts->server = builder.BuildAndStart();
  if (!parts->server) return absl::InternalError("management: gRPC does not start");
  for (const char* service : {"fairlead.v1.ManagementService", "fairlead.v1.ObservationService"}) {
    parts->server->GetHealthCheckService()->SetServingStatus(service, true);
  }
  std::vector<FrontDoor::Entrance> entrances;
  for (Listening& one : listening) {
    entrances.push_back({one.socket.release(), spoken_at(one.bound, options.on_tcp())});
  }
  parts->listening = std::move(listening);
  // (The door, which calls it, goes before the parts do.)
  auto take = [acceptor = parts->acceptor.get(), &last_arrival = parts->last_arrival](int fd) {
    last_arrival = std::chrono::steady_clock::now();
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    acceptor->HandleNewConnection(&connection);
  };
  Context& context = *parts->context;
  parts->door = std::make_unique<FrontDoor>(entrances, options.tls, context.peers, *context.counts, std::move(take));
  std::unique_ptr<ManagementServer> started(new ManagementServer(std::move(parts)));
  for (const Listening& one : started->parts_->listening) started->bound_.push_back(one.bound.to_string());
  return started;
}

std::vector<ManagementServer::Copy> ManagementServer::copy_sockets() const {
  std::vector<Copy> copies;
  std::vector<base::Descriptor> sockets = parts_->door->copy_sockets();
  for (size_t i = 0; i < sockets.size(); ++i) {
    copies.push_back({parts_->listening[i].wanted, bound_[i], std::move(sockets[i])});
  }
  return copies;
}

void ManagementServer::leave() {
  for (Listening& one : parts_->listening) one.file.forget();
}

ManagementServer::ManagementServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

ManagementServer::~ManagementServer() { stop(); }

void ManagementServer::reload() {
  if (!parts_ || !parts_->credentials) return;
  parts_->context->reading.post(
      [context = parts_->context, credentials = parts_->credentials] { credentials->refresh(*context->counts); });
}

void ManagementServer::stop(absl::Duration patience) {
  if (!parts_) return;
  // The files go while the sockets are open, or another's file could be taken for ours.
  for (Listening& one : parts_->listening) one.file.remove();
  parts_->door->close();
  // gRPC cancels calls that come when it has begun to stop. Who was let in a moment ago has one on its way, and could
  // not know.
  std::this_thread::sleep_until(parts_->last_arrival.load() + kFirstCallPatience);
  parts_->server->GetHealthCheckService()->Shutdown();
  parts_->context->executor.post([context = parts_->context] { context->streams.shut_down(); });
  parts_->server->Shutdown(absl::ToChronoTime(absl::Now() + patience));
  // gRPC has let go of all reactors; what they posted last runs before the executor ends, and with it the last thread
  // of ours that has called into the server.
  parts_->stop_threads();
  parts_->server.reset();
  parts_->door.reset();
  parts_.reset();
}

}  // namespace fairlead::management
