#include "management/management_server.h"

#include <sys/stat.h>

#include <optional>
#include <utility>

#include "config/text.h"
#include "config/validate.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "management/context.h"
#include "management/management_service.h"
#include "management/observation_service.h"
#include "management/streams.h"
#include "net/socket_file.h"

namespace fairlead::management {
namespace {

using config::concat;

absl::Status clear_way(const std::string& text, const config::Endpoint& endpoint) {
  std::optional<std::string> problem = net::clear_path(std::get<config::UnixEndpoint>(endpoint.value()));
  if (!problem) return absl::OkStatus();
  return absl::AlreadyExistsError(concat("management.listen: ", config::quoted(text), " ", *problem));
}

struct Listening {
  config::Endpoint endpoint;
  int port = 0;
};

absl::StatusOr<std::vector<Listening>> check_addresses(const ServerOptions& options) {
  if (options.listen.empty())
    return absl::InvalidArgumentError("management.listen: is empty; name at least one address");
  std::vector<Listening> result;
  for (const std::string& text : options.listen) {
    if (config::Problem problem = check_listen(text, options.insecure)) {
      return absl::InvalidArgumentError("management.listen: " + *problem);
    }
    config::Endpoint endpoint = config::Endpoint::parse(text).value();
    if (endpoint.is_unix()) {
      if (absl::Status free = clear_way(text, endpoint); !free.ok()) return free;
    }
    result.push_back({std::move(endpoint)});
  }
  return result;
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
  // Two data planes on one port would share its clients.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
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

}  // namespace

config::Problem check_listen(const std::string& text, bool insecure) {
  absl::StatusOr<config::Endpoint> endpoint = config::Endpoint::parse(text);
  if (!endpoint.ok()) return std::string(endpoint.status().message());
  if (endpoint->is_unix()) return std::nullopt;
  if (!insecure) {
    return concat(config::quoted(text), " is TCP, where anybody may connect; use unix:/path, or set insecure");
  }
  if (endpoint->is_loopback()) return std::nullopt;
  return concat(config::quoted(text), " is not a loopback address; use 127.0.0.1 or [::1]");
}

struct ManagementServer::Parts {
  Parts(const ServerOptions& options, store::Store& store, observe::Collector& collector)
      : context(new Context{store, collector, options.build, options.workers, options.sessions_max, options.silence,
                            std::chrono::steady_clock::now()}) {
    watch_silence(context);
  }
  ~Parts() { stop_threads(); }

  // What reads may still owe an answer; that comes to the executor.
  void stop_threads() {
    context->reading.stop();
    context->executor.stop();
  }

  std::shared_ptr<Context> context;
  ManagementService management{context};
  ObservationService observation{context};
  std::unique_ptr<grpc::Server> server;
};

absl::StatusOr<std::unique_ptr<ManagementServer>> ManagementServer::start(const ServerOptions& options,
                                                                          store::Store& store,
                                                                          observe::Collector& collector) {
  absl::StatusOr<std::vector<Listening>> addresses = check_addresses(options);
  if (!addresses.ok()) return addresses.status();
  auto parts = std::make_unique<Parts>(options, store, collector);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  set_limits(builder);
  for (Listening& listening : *addresses) {
    builder.AddListeningPort(listening.endpoint.to_string(), grpc::InsecureServerCredentials(), &listening.port);
  }
  builder.RegisterService(&parts->management);
  builder.RegisterService(&parts->observation);
  // Nobody else may connect from the moment that the socket is there.
  mode_t mask = umask(0177);
  parts->server = builder.BuildAndStart();
  umask(mask);
  for (const Listening& listening : *addresses) {
    if (parts->server && listening.port != 0) continue;
    return absl::FailedPreconditionError(concat("management.listen: ", config::quoted(listening.endpoint.to_string()),
                                                " cannot be bound: it is in use, or not ours to bind"));
  }
  for (const char* service : {"fairlead.v1.ManagementService", "fairlead.v1.ObservationService"}) {
    parts->server->GetHealthCheckService()->SetServingStatus(service, true);
  }
  std::unique_ptr<ManagementServer> started(new ManagementServer(std::move(parts)));
  for (const Listening& listening : *addresses) {
    const config::Endpoint& endpoint = listening.endpoint;
    config::Endpoint bound = endpoint.is_unix() ? endpoint : endpoint.with_port(static_cast<uint16_t>(listening.port));
    started->bound_.push_back(bound.to_string());
  }
  return started;
}

ManagementServer::ManagementServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

ManagementServer::~ManagementServer() { stop(); }

void ManagementServer::stop(absl::Duration patience) {
  if (!parts_) return;
  parts_->server->GetHealthCheckService()->Shutdown();
  parts_->context->executor.post([context = parts_->context] { context->streams.shut_down(); });
  parts_->server->Shutdown(absl::ToChronoTime(absl::Now() + patience));
  // gRPC has let go of all reactors; what they posted last runs before the executor ends, and with it the last thread
  // of ours that has called into the server.
  parts_->stop_threads();
  parts_->server.reset();
  parts_.reset();
}

}  // namespace fairlead::management
