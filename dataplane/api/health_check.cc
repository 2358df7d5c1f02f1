#include "api/health_check.h"

#include <algorithm>

#include "api/encode.h"
#include "config/text.h"
#include "http/text.h"

namespace fairlead::api {
namespace {

using config::concat;

constexpr DurationRange kInterval{config::kCheckIntervalMin, config::kTimeoutMax};
constexpr config::Range kCount{1, 100};
constexpr config::Range kStatus{100, 599};
constexpr config::Range kPort{1, 65535};

std::optional<config::CheckMethod> method(FieldChecker& checker, v1::HttpCheckMethod value) {
  switch (value) {
    case v1::HTTP_CHECK_METHOD_UNSPECIFIED:
      return std::nullopt;
    case v1::HTTP_CHECK_METHOD_GET:
      return config::CheckMethod::kGet;
    case v1::HTTP_CHECK_METHOD_HEAD:
      return config::CheckMethod::kHead;
    case v1::HTTP_CHECK_METHOD_OPTIONS:
      return config::CheckMethod::kOptions;
    case v1::HTTP_CHECK_METHOD_POST:
      return config::CheckMethod::kPost;
    default:
      checker.unknown_enum("health_check.http.method", value, "GET, HEAD, OPTIONS, POST");
      return std::nullopt;
  }
}

v1::HttpCheckMethod encode_method(config::CheckMethod method) {
  switch (method) {
    case config::CheckMethod::kGet:
      return v1::HTTP_CHECK_METHOD_GET;
    case config::CheckMethod::kHead:
      return v1::HTTP_CHECK_METHOD_HEAD;
    case config::CheckMethod::kOptions:
      return v1::HTTP_CHECK_METHOD_OPTIONS;
    case config::CheckMethod::kPost:
      return v1::HTTP_CHECK_METHOD_POST;
  }
  return v1::HTTP_CHECK_METHOD_UNSPECIFIED;
}

std::optional<config::InitialState> initial_state(FieldChecker& checker, v1::InitialState value) {
  switch (value) {
    case v1::INITIAL_STATE_UNSPECIFIED:
      return std::nullopt;
    case v1::INITIAL_STATE_PENDING:
      return config::InitialState::kPending;
    case v1::INITIAL_STATE_UP:
      return config::InitialState::kUp;
    default:
      checker.unknown_enum("health_check.initial_state", value, "PENDING, UP");
      return std::nullopt;
  }
}

void decode_headers(FieldChecker& checker, const v1::HttpCheck& http, config::HttpCheck& check) {
  constexpr std::string_view kField = "health_check.http.headers";
  check.headers.assign(http.headers().begin(), http.headers().end());
  std::ranges::sort(check.headers);
  if (check.headers.size() > config::kCheckHeadersMax) {
    checker.fail(kField,
                 concat("has ", check.headers.size(), " entries, at most ", config::kCheckHeadersMax, " are allowed"));
    return;
  }
  for (auto header = check.headers.begin(); header != check.headers.end(); ++header) {
    checker.check(kField, config::check_header(header->first, header->second));
    auto same = [&](const auto& other) { return http::equals_ignoring_case(other.first, header->first); };
    if (std::find_if(check.headers.begin(), header, same) == header) continue;
    checker.fail(kField, concat(config::quoted(header->first), " is there twice"));
  }
}

void decode_statuses(FieldChecker& checker, const v1::HttpCheck& http, config::HttpCheck& check) {
  constexpr std::string_view kField = "health_check.http.expected_statuses";
  if (static_cast<size_t>(http.expected_statuses_size()) > config::kStatusRangesMax) {
    checker.fail(kField, concat("has ", http.expected_statuses_size(), " ranges, at most ", config::kStatusRangesMax,
                                " are allowed"));
    return;
  }
  for (int i = 0; i < http.expected_statuses_size(); ++i) {
    const v1::StatusRange& range = http.expected_statuses(i);
    std::string field = concat(kField, "[", i, "]");
    checker.check(field + ".first", config::check_range(range.first(), kStatus));
    checker.check(field + ".last", config::check_range(range.last(), {range.first(), kStatus.max}));
    check.expected.push_back({static_cast<uint16_t>(range.first()), static_cast<uint16_t>(range.last())});
  }
}

config::HttpCheck decode_http(FieldChecker& checker, const v1::HttpCheck& http) {
  config::HttpCheck check;
  check.path = http.path();
  if (!check.path.empty()) checker.check("health_check.http.path", config::check_check_path(check.path));
  check.method = method(checker, http.method());
  check.host = http.host();
  if (!check.host.empty()) checker.check("health_check.http.host", config::check_host_field(check.host));
  decode_headers(checker, http, check);
  decode_statuses(checker, http, check);
  check.body_contains = http.body_contains();
  if (check.body_contains.size() > config::kCheckTextMax) {
    checker.fail("health_check.http.body_contains",
                 concat("has ", check.body_contains.size(), " bytes, at most ", config::kCheckTextMax, " are allowed"));
  }
  if (!check.body_contains.empty() && check.method == config::CheckMethod::kHead) {
    checker.fail("health_check.http.body_contains", "looks for a body, which a response to HEAD has not");
  }
  return check;
}

void encode_http(const config::HttpCheck& check, v1::HttpCheck& out) {
  out.set_path(check.path);
  if (check.method) out.set_method(encode_method(*check.method));
  out.set_host(check.host);
  for (const auto& [name, value] : check.headers) (*out.mutable_headers())[name] = value;
  for (const config::StatusRange& range : check.expected) {
    v1::StatusRange& encoded = *out.add_expected_statuses();
    encoded.set_first(range.first);
    encoded.set_last(range.last);
  }
  out.set_body_contains(check.body_contains);
}

config::GrpcCheck decode_grpc(FieldChecker& checker, const v1::GrpcCheck& grpc) {
  config::GrpcCheck check{.service = grpc.service(), .authority = grpc.authority()};
  if (check.service.size() > config::kGrpcServiceMax) {
    checker.fail("health_check.grpc.service",
                 concat("has ", check.service.size(), " bytes, at most ", config::kGrpcServiceMax, " are allowed"));
  }
  if (!check.authority.empty()) {
    checker.check("health_check.grpc.authority", config::check_host_field(check.authority));
  }
  return check;
}

std::optional<config::ProxyHeader> proxy_header(FieldChecker& checker, v1::ProxyHeader value) {
  switch (value) {
    case v1::PROXY_HEADER_UNSPECIFIED:
      return std::nullopt;
    case v1::PROXY_HEADER_V1:
      return config::ProxyHeader::kV1;
    case v1::PROXY_HEADER_V2:
      return config::ProxyHeader::kV2;
    default:
      checker.unknown_enum("health_check.proxy_header", value, "V1, V2");
      return std::nullopt;
  }
}

// `path`: of the message.
template <typename Message>
config::CheckPlace decode_place(FieldChecker& checker, const Message& message, std::string_view path = "health_check") {
  config::CheckPlace place;
  std::string port_field = concat(path, ".port");
  std::string address_field = concat(path, ".address");
  std::optional<uint32_t> port = checker.number(port_field, message.has_port(), message.port(), kPort);
  if (port) place.port = static_cast<uint16_t>(*port);
  if (message.address().empty()) return place;
  if (port) checker.fail(port_field, "is set beside an address, which has one");
  place.address = checker.endpoint(address_field, message.address());
  if (place.address) checker.check(address_field, config::check_destination(*place.address));
  return place;
}

template <typename Message>
void encode_place(const config::CheckPlace& place, Message& out) {
  if (place.port) out.set_port(*place.port);
  if (place.address) out.set_address(place.address->to_string());
}

constexpr std::string_view kAgentPath = "health_check.agent";

std::optional<config::AgentCheck> decode_agent(FieldChecker& checker, const v1::HealthCheck& message) {
  if (!message.has_agent()) return std::nullopt;
  const v1::AgentCheck& agent = message.agent();
  config::CheckPlace place = decode_place(checker, agent, kAgentPath);
  if (!place.port && agent.address().empty())
    checker.fail(concat(kAgentPath, ".port"), "is not set, nor is an address");
  if (agent.send().size() > config::kAgentSendMax) {
    checker.fail(concat(kAgentPath, ".send"),
                 concat("has ", agent.send().size(), " bytes, at most ", config::kAgentSendMax, " are allowed"));
  }
  return config::AgentCheck{
      .place = std::move(place),
      .interval = checker.duration(concat(kAgentPath, ".interval"), agent.has_interval(), agent.interval(), kInterval),
      .send = agent.send()};
}

void encode_agent(const config::AgentCheck& agent, v1::AgentCheck& out) {
  encode_place(agent.place, out);
  if (agent.interval) encode(*agent.interval, *out.mutable_interval());
  out.set_send(agent.send);
}

// Whether there is such a server is for others to say.
void check_track(FieldChecker& checker, const v1::Server& server, bool says_how) {
  const std::string& track = server.health_check().track();
  constexpr std::string_view kField = "health_check.track";
  if (says_how) checker.fail(kField, "is set beside how the server is checked, which it is not then");
  size_t slash = track.find('/');
  if (slash == std::string::npos) {
    return checker.fail(kField, concat(config::quoted(track), " is not a server's name, \"backend/server\""));
  }
  checker.check(kField, config::check_name(std::string_view(track).substr(0, slash)));
  checker.check(kField, config::check_name(std::string_view(track).substr(slash + 1)));
  if (track == concat(server.backend(), "/", server.name())) {
    checker.fail(kField, concat(config::quoted(track), " is the server itself"));
  }
}

}  // namespace

std::optional<config::OnMarkedDown> decode_on_marked_down(FieldChecker& checker, v1::OnMarkedDown value) {
  switch (value) {
    case v1::ON_MARKED_DOWN_UNSPECIFIED:
      return std::nullopt;
    case v1::ON_MARKED_DOWN_KEEP:
      return config::OnMarkedDown::kKeep;
    case v1::ON_MARKED_DOWN_CLOSE:
      return config::OnMarkedDown::kClose;
    default:
      checker.unknown_enum("on_marked_down", value, "KEEP, CLOSE");
      return std::nullopt;
  }
}

v1::OnMarkedDown encode(config::OnMarkedDown value) {
  return value == config::OnMarkedDown::kKeep ? v1::ON_MARKED_DOWN_KEEP : v1::ON_MARKED_DOWN_CLOSE;
}

std::optional<config::OnMarkedUp> decode_on_marked_up(FieldChecker& checker, v1::OnMarkedUp value) {
  switch (value) {
    case v1::ON_MARKED_UP_UNSPECIFIED:
      return std::nullopt;
    case v1::ON_MARKED_UP_KEEP:
      return config::OnMarkedUp::kKeep;
    case v1::ON_MARKED_UP_CLOSE_BACKUPS:
      return config::OnMarkedUp::kCloseBackups;
    default:
      checker.unknown_enum("on_marked_up", value, "KEEP, CLOSE_BACKUPS");
      return std::nullopt;
  }
}

v1::OnMarkedUp encode(config::OnMarkedUp value) {
  return value == config::OnMarkedUp::kKeep ? v1::ON_MARKED_UP_KEEP : v1::ON_MARKED_UP_CLOSE_BACKUPS;
}

std::optional<config::HealthCheck> decode_health_check(FieldChecker& checker, const v1::Backend& backend) {
  if (!backend.has_health_check()) return std::nullopt;
  const v1::HealthCheck& message = backend.health_check();
  config::HealthCheck check;
  switch (message.check_case()) {
    case v1::HealthCheck::kHttp:
      check.kind = decode_http(checker, message.http());
      break;
    case v1::HealthCheck::kTcp:
      check.kind = config::TcpCheck();
      break;
    case v1::HealthCheck::kGrpc:
      check.kind = decode_grpc(checker, message.grpc());
      break;
    case v1::HealthCheck::CHECK_NOT_SET:
      check.kind = config::NoCheck();
      if (!message.has_agent()) {
        checker.fail("health_check", "says not how to check; set one of http, tcp, grpc, or agent");
      }
  }
  check.interval = checker.duration("health_check.interval", message.has_interval(), message.interval(), kInterval);
  check.fast_interval =
      checker.duration("health_check.fast_interval", message.has_fast_interval(), message.fast_interval(), kInterval);
  check.down_interval =
      checker.duration("health_check.down_interval", message.has_down_interval(), message.down_interval(), kInterval);
  check.timeout = checker.duration("health_check.timeout", message.has_timeout(), message.timeout(),
                                   {config::kTimeoutMin, check.effective_interval()});
  check.rise = checker.number("health_check.rise", message.has_rise(), message.rise(), kCount);
  check.fall = checker.number("health_check.fall", message.has_fall(), message.fall(), kCount);
  check.place = decode_place(checker, message);
  check.initial_state = initial_state(checker, message.initial_state());
  check.proxy_header = proxy_header(checker, message.proxy_header());
  check.agent = decode_agent(checker, message);
  if (message.has_tls()) check.tls = message.tls();
  return check;
}

void encode(const config::HealthCheck& check, v1::HealthCheck& out) {
  if (const auto* http = std::get_if<config::HttpCheck>(&check.kind)) {
    encode_http(*http, *out.mutable_http());
  } else if (const auto* grpc = std::get_if<config::GrpcCheck>(&check.kind)) {
    out.mutable_grpc()->set_service(grpc->service);
    out.mutable_grpc()->set_authority(grpc->authority);
  } else if (check.has_check()) {
    out.mutable_tcp();
  }
  if (check.interval) encode(*check.interval, *out.mutable_interval());
  if (check.fast_interval) encode(*check.fast_interval, *out.mutable_fast_interval());
  if (check.down_interval) encode(*check.down_interval, *out.mutable_down_interval());
  if (check.timeout) encode(*check.timeout, *out.mutable_timeout());
  if (check.rise) out.set_rise(*check.rise);
  if (check.fall) out.set_fall(*check.fall);
  encode_place(check.place, out);
  if (check.initial_state) {
    out.set_initial_state(*check.initial_state == config::InitialState::kUp ? v1::INITIAL_STATE_UP
                                                                            : v1::INITIAL_STATE_PENDING);
  }
  if (check.tls) out.set_tls(*check.tls);
  if (check.proxy_header) {
    out.set_proxy_header(*check.proxy_header == config::ProxyHeader::kV1 ? v1::PROXY_HEADER_V1 : v1::PROXY_HEADER_V2);
  }
  if (check.agent) encode_agent(*check.agent, *out.mutable_agent());
}

void decode_server_check(FieldChecker& checker, const v1::Server& server, config::ServerExtras& out) {
  if (!server.has_health_check()) return;
  const v1::ServerHealthCheck& message = server.health_check();
  out.check = decode_place(checker, message);
  if (message.has_agent()) out.agent = decode_place(checker, message.agent(), kAgentPath);
  bool says_how = message.disabled() || out.check.is_set() || out.agent.is_set();
  if (!message.track().empty()) check_track(checker, server, says_how);
  out.track = message.track();
  out.unchecked = message.disabled();
}

void encode(const config::ServerExtras& extras, v1::ServerHealthCheck& out) {
  out.set_disabled(extras.unchecked);
  encode_place(extras.check, out);
  if (extras.agent.is_set()) encode_place(extras.agent, *out.mutable_agent());
  out.set_track(extras.track);
}

}  // namespace fairlead::api
