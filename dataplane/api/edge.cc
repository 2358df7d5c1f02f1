#include "api/edge.h"

#include <algorithm>
#include <span>

#include "api/encode.h"
#include "config/text.h"

namespace fairlead::api {
namespace {

using config::concat;
using config::Duration;
using config::NetworkTable;

constexpr std::string_view kUnix = "unix";
constexpr DurationRange kGrace{std::chrono::milliseconds(100), std::chrono::hours(1)};
constexpr DurationRange kTimeout{config::kTimeoutMin, config::kTimeoutMax};
constexpr DurationRange kKeepAlive{std::chrono::seconds(1), std::chrono::hours(9)};
constexpr DurationRange kDefer{std::chrono::seconds(1), std::chrono::hours(1)};
constexpr config::Range kRate{0, config::kMinimumRateMax};

// ---- PROXY protocol

config::ProxyProtocol decode_proxy(FieldChecker& checker, const v1::ProxyProtocol& message) {
  config::ProxyProtocol proxy{.trusted = {message.trusted().begin(), message.trusted().end()},
                              .allow_others = message.allow_others()};
  if (proxy.trusted.size() > config::kTrustedMax) {
    checker.fail("proxy_protocol.trusted",
                 concat("has ", proxy.trusted.size(), " networks, at most ", config::kTrustedMax, " are allowed"));
  }
  if (proxy.trusted.empty() && proxy.allow_others) {
    checker.fail("proxy_protocol.trusted", "names no network; there are no others without one");
  }
  std::vector<NetworkTable::Entry> entries;
  for (size_t i = 0; i < proxy.trusted.size() && checker.ok(); ++i) {
    if (proxy.trusted[i] == kUnix) {
      proxy.trusts_unix = true;
      continue;
    }
    absl::StatusOr<config::Network> network = config::Network::parse(proxy.trusted[i]);
    if (network.ok()) {
      entries.push_back({*network, true});
    } else {
      checker.fail(concat("proxy_protocol.trusted[", i, "]"), std::string(network.status().message()));
    }
  }
  if (checker.ok() && proxy.is_on()) proxy.table = std::make_shared<const NetworkTable>(entries, false);
  return proxy;
}

// ---- access

std::optional<config::AccessAction> action(FieldChecker& checker, std::string_view field, v1::AccessAction value) {
  if (value == v1::ACCESS_ACTION_ALLOW) return config::AccessAction::kAllow;
  if (value == v1::ACCESS_ACTION_DENY) return config::AccessAction::kDeny;
  checker.unknown_enum(field, value, "ALLOW, DENY");
  return std::nullopt;
}

v1::AccessAction encode(config::AccessAction action) {
  return action == config::AccessAction::kAllow ? v1::ACCESS_ACTION_ALLOW : v1::ACCESS_ACTION_DENY;
}

void decode_rule(FieldChecker& checker, const v1::AccessRule& message, const std::string& field,
                 config::AccessControl& access, std::vector<NetworkTable::Entry>& entries) {
  config::AccessRule rule{.networks = {message.networks().begin(), message.networks().end()}};
  rule.action = action(checker, field + ".action", message.action()).value_or(rule.action);
  if (rule.networks.empty()) checker.fail(field + ".networks", "has no network");
  for (size_t i = 0; i < rule.networks.size() && checker.ok(); ++i) {
    absl::StatusOr<config::Network> network = config::Network::parse(rule.networks[i]);
    if (!network.ok()) {
      return checker.fail(concat(field, ".networks[", i, "]"), std::string(network.status().message()));
    }
    entries.push_back({*network, rule.action == config::AccessAction::kAllow});
  }
  access.rules.push_back(std::move(rule));
}

config::AccessControl decode_access(FieldChecker& checker, const v1::AccessControl& message) {
  config::AccessControl access;
  size_t networks = 0;
  for (const v1::AccessRule& rule : message.rules()) networks += static_cast<size_t>(rule.networks_size());
  if (networks > config::kAccessNetworksMax) {
    checker.fail("access.rules",
                 concat("have ", networks, " networks in all, at most ", config::kAccessNetworksMax, " are allowed"));
    return access;
  }
  std::vector<NetworkTable::Entry> entries;
  for (int i = 0; i < message.rules_size() && checker.ok(); ++i) {
    decode_rule(checker, message.rules(i), concat("access.rules[", i, "]"), access, entries);
  }
  if (message.otherwise() != v1::ACCESS_ACTION_UNSPECIFIED) {
    access.otherwise = action(checker, "access.otherwise", message.otherwise());
  }
  const bool lets_in = access.effective_otherwise() == config::AccessAction::kAllow;
  if (checker.ok() && (!entries.empty() || !lets_in)) {
    access.table = std::make_shared<const NetworkTable>(entries, lets_in);
  }
  return access;
}

// ---- rates

config::MinimumRates decode_rates(FieldChecker& checker, const v1::MinimumRates& message) {
  return {.head = checker.number("minimum_rates.head", message.has_head(), message.head(), kRate),
          .body = checker.number("minimum_rates.body", message.has_body(), message.body(), kRate),
          .send = checker.number("minimum_rates.send", message.has_send(), message.send(), kRate),
          .grace = checker.duration("minimum_rates.grace", message.has_grace(), message.grace(), kGrace)};
}

void encode(const config::MinimumRates& rates, v1::MinimumRates& out) {
  if (rates.head) out.set_head(*rates.head);
  if (rates.body) out.set_body(*rates.body);
  if (rates.send) out.set_send(*rates.send);
  if (rates.grace) api::encode(*rates.grace, *out.mutable_grace());
}

// ---- TCP

// The kernel counts these in seconds.
std::optional<Duration> whole_seconds(FieldChecker& checker, std::string_view field, bool set,
                                      const google::protobuf::Duration& value, DurationRange range) {
  std::optional<Duration> duration = checker.duration(field, set, value, range);
  if (duration && *duration % std::chrono::seconds(1) != Duration::zero()) {
    checker.fail(field, concat(config::to_text(*duration), " is not a whole number of seconds"));
  }
  return duration;
}

config::TcpOptions decode_tcp(FieldChecker& checker, const v1::TcpKeepAlive& message, bool has_user_timeout,
                              const google::protobuf::Duration& user_timeout) {
  return {.keep_alive = {.time = whole_seconds(checker, "tcp.keep_alive.time", message.has_time(), message.time(),
                                               kKeepAlive),
                         .interval = whole_seconds(checker, "tcp.keep_alive.interval", message.has_interval(),
                                                   message.interval(), kKeepAlive),
                         .probes =
                             checker.number("tcp.keep_alive.probes", message.has_probes(), message.probes(), {1, 127})},
          .user_timeout = checker.duration("tcp.user_timeout", has_user_timeout, user_timeout, kTimeout)};
}

// Of ListenerTcp and ServerTcp.
template <typename Message>
void encode_tcp(const config::TcpOptions& options, Message& out) {
  const config::TcpKeepAlive& keep_alive = options.keep_alive;
  if (keep_alive.time) api::encode(*keep_alive.time, *out.mutable_keep_alive()->mutable_time());
  if (keep_alive.interval) api::encode(*keep_alive.interval, *out.mutable_keep_alive()->mutable_interval());
  if (keep_alive.probes) out.mutable_keep_alive()->set_probes(*keep_alive.probes);
  if (options.user_timeout) api::encode(*options.user_timeout, *out.mutable_user_timeout());
}

config::ListenerTcp decode_tcp(FieldChecker& checker, const v1::ListenerTcp& message) {
  return {.connections = decode_tcp(checker, message.keep_alive(), message.has_user_timeout(), message.user_timeout()),
          .backlog = checker.number("tcp.backlog", message.has_backlog(), message.backlog(), {1, 65'535}),
          .defer_accept =
              whole_seconds(checker, "tcp.defer_accept", message.has_defer_accept(), message.defer_accept(), kDefer),
          .fast_open = checker.number("tcp.fast_open", message.has_fast_open(), message.fast_open(), {0, 65'535})};
}

void encode(const config::ListenerTcp& tcp, v1::ListenerTcp& out) {
  encode_tcp(tcp.connections, out);
  if (tcp.backlog) out.set_backlog(*tcp.backlog);
  if (tcp.defer_accept) api::encode(*tcp.defer_accept, *out.mutable_defer_accept());
  if (tcp.fast_open) out.set_fast_open(*tcp.fast_open);
}

// ---- towards servers

std::optional<config::SendProxyProtocol> decode_send_proxy(FieldChecker& checker,
                                                           const v1::SendProxyProtocol& message) {
  const bool has_more = message.crc32c() || message.authority() || message.unique_id();
  config::SendProxyProtocol send{
      .crc32c = message.crc32c(), .authority = message.authority(), .unique_id = message.unique_id()};
  switch (message.version()) {
    case v1::PROXY_HEADER_UNSPECIFIED:
      if (has_more) checker.unknown_enum("send_proxy_protocol.version", message.version(), "V1, V2");
      return std::nullopt;
    case v1::PROXY_HEADER_V1:
      if (has_more) {
        checker.fail("send_proxy_protocol.version", "is V1, which has no crc32c, authority and unique_id; V2 has them");
      }
      break;
    case v1::PROXY_HEADER_V2:
      send.version = config::ProxyHeader::kV2;
      break;
    default:
      checker.unknown_enum("send_proxy_protocol.version", message.version(), "V1, V2");
  }
  return send;
}

}  // namespace

void decode_edge(FieldChecker& checker, const v1::Listener& message, config::Listener& record) {
  const v1::ListenerTimeouts& timeouts = message.timeouts();
  record.timeouts.proxy_header =
      checker.duration("timeouts.proxy_header", timeouts.has_proxy_header(), timeouts.proxy_header(), kTimeout);
  record.proxy_protocol = decode_proxy(checker, message.proxy_protocol());
  record.access = decode_access(checker, message.access());
  record.max_connections_per_client =
      checker.number("max_connections_per_client", message.has_max_connections_per_client(),
                     message.max_connections_per_client(), {0, config::kMaxConnectionsMax});
  record.minimum_rates = decode_rates(checker, message.minimum_rates());
  record.tcp = decode_tcp(checker, message.tcp());
  if (message.protocol() == v1::PROTOCOL_TCP && record.minimum_rates != config::MinimumRates()) {
    checker.fail("minimum_rates", "are for HTTP listeners; this one is TCP");
  }
}

void encode_edge(const config::Listener& record, v1::Listener& out) {
  if (record.timeouts.proxy_header)
    encode(*record.timeouts.proxy_header, *out.mutable_timeouts()->mutable_proxy_header());
  const config::ProxyProtocol& proxy = record.proxy_protocol;
  if (proxy.is_on()) {
    out.mutable_proxy_protocol()->mutable_trusted()->Add(proxy.trusted.begin(), proxy.trusted.end());
    out.mutable_proxy_protocol()->set_allow_others(proxy.allow_others);
  }
  for (const config::AccessRule& rule : record.access.rules) {
    v1::AccessRule& encoded = *out.mutable_access()->add_rules();
    encoded.set_action(encode(rule.action));
    encoded.mutable_networks()->Add(rule.networks.begin(), rule.networks.end());
  }
  if (record.access.otherwise) out.mutable_access()->set_otherwise(encode(*record.access.otherwise));
  if (record.max_connections_per_client) out.set_max_connections_per_client(*record.max_connections_per_client);
  if (record.minimum_rates != config::MinimumRates()) encode(record.minimum_rates, *out.mutable_minimum_rates());
  if (record.tcp != config::ListenerTcp()) encode(record.tcp, *out.mutable_tcp());
}

void decode_edge(FieldChecker& checker, const v1::Backend& message, config::Backend& record) {
  record.send_proxy_protocol = decode_send_proxy(checker, message.send_proxy_protocol());
  record.tcp =
      decode_tcp(checker, message.tcp().keep_alive(), message.tcp().has_user_timeout(), message.tcp().user_timeout());
}

void encode_edge(const config::Backend& record, v1::Backend& out) {
  if (const auto& send = record.send_proxy_protocol) {
    v1::SendProxyProtocol& encoded = *out.mutable_send_proxy_protocol();
    encoded.set_version(send->version == config::ProxyHeader::kV1 ? v1::PROXY_HEADER_V1 : v1::PROXY_HEADER_V2);
    encoded.set_crc32c(send->crc32c);
    encoded.set_authority(send->authority);
    encoded.set_unique_id(send->unique_id);
  }
  if (record.tcp != config::TcpOptions()) encode_tcp(record.tcp, *out.mutable_tcp());
}

}  // namespace fairlead::api
