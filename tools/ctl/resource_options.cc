#include "ctl/resource_options.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "api/yaml.h"
#include "base/quoted.h"
#include "ctl/values.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::ctl {
namespace {

using google::protobuf::Message;

ResourceOption labels() {
  return {{.name = "label", .value = "KEY=VALUE", .help = "a label; set replaces all", .repeatable = true},
          "labels",
          ValueForm::kLabels};
}

std::string limit_text(const v1::RateLimit& limit) {
  std::string text;
  if (limit.has_requests()) absl::StrAppend(&text, "requests: ", limit.requests(), ", ");
  if (limit.has_per()) absl::StrAppendFormat(&text, "per: \"%d.%09ds\", ", limit.per().seconds(), limit.per().nanos());
  if (limit.has_burst()) absl::StrAppend(&text, "burst: ", limit.burst());
  return "{" + text + "}";
}

// A message's YAML on one line: JSON's flow style is YAML.
Result<std::string> routes_text(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    Result<v1::Route> route = parse_route(value);
    if (!route) return std::unexpected(route.error());
    const std::string hosts = absl::StrJoin(
        route->hosts(), ", ", [](std::string* out, const std::string& host) { out->append(base::quoted(host)); });
    absl::StrAppend(&text, "{hosts: [", hosts, "], path_prefix: ", base::quoted(route->path_prefix()),
                    ", backend: ", base::quoted(route->backend()));
    if (route->has_priority()) absl::StrAppend(&text, ", priority: ", route->priority());
    if (route->has_rate_limit()) absl::StrAppend(&text, ", rate_limit: ", limit_text(route->rate_limit()));
    text += "}, ";
  }
  return "[" + text + "]";
}

Result<std::string> map_text(const std::string& option, const std::vector<std::string>& values) {
  auto parsed = parse_labels("--" + option, values);
  if (!parsed) return std::unexpected(parsed.error());
  std::string text;
  for (const auto& [key, value] : *parsed) absl::StrAppend(&text, base::quoted(key), ": ", base::quoted(value), ", ");
  return "{" + text + "}";
}

Result<std::string> statuses_text(const std::string& option, const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    Result<v1::StatusRange> range = parse_status_range("--" + option, value);
    if (!range) return std::unexpected(range.error());
    absl::StrAppend(&text, "{first: ", range->first(), ", last: ", range->last(), "}, ");
  }
  return "[" + text + "]";
}

std::string list_text(const std::vector<std::string>& values) {
  const auto quote = [](std::string* out, const std::string& value) { out->append(base::quoted(value)); };
  return absl::StrCat("[", absl::StrJoin(values, ", ", quote), "]");
}

// "connect-failure", "connect_failure": the schema's words are upper case.
std::string enum_word(const std::string& value) {
  return absl::AsciiStrToUpper(absl::StrReplaceAll(value, {{"-", "_"}, {".", "_"}}));
}

// "deny:10.0.0.0/8,10.1.2.3"
Result<std::string> access_text(const std::string& option, const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    const std::size_t colon = value.find(':');
    if (colon == std::string::npos) {
      return usage_error(
          absl::StrCat("--", option, ": ", base::quoted(value), " is not allow:NETWORK,... or deny:NETWORK,..."));
    }
    const std::vector<std::string> networks = absl::StrSplit(value.substr(colon + 1), ',');
    absl::StrAppend(&text, "{action: ", base::quoted(enum_word(value.substr(0, colon))),
                    ", networks: ", list_text(networks), "}, ");
  }
  return "[" + text + "]";
}

// The option's value as YAML; the schema's reader then checks it as it would in a file.
Result<std::string> yaml_value(const ResourceOption& option, const std::vector<std::string>& values) {
  switch (option.form) {
    case ValueForm::kScalar:
      return base::quoted(values.back());
    case ValueForm::kBool:
      // In quotes it would be a text.
      return values.back() == "true" || values.back() == "false" ? values.back() : base::quoted(values.back());
    case ValueForm::kEnum:
      return base::quoted(enum_word(values.back()));
    case ValueForm::kLabels:
      return map_text(option.option.name, values);
    case ValueForm::kList:
      return list_text(values);
    case ValueForm::kEnumList: {
      std::vector<std::string> words;
      for (const std::string& value : values) words.push_back(enum_word(value));
      return list_text(words);
    }
    case ValueForm::kRoutes:
      return routes_text(values);
    case ValueForm::kCheck:
      return base::quoted(values.back());
    case ValueForm::kFile: {
      absl::StatusOr<std::string> text = api::read_yaml_file(values.back());
      if (!text.ok()) return usage_error(std::string(text.status().message()));
      return base::quoted(*text);
    }
    case ValueForm::kStatuses:
      return statuses_text(option.option.name, values);
    case ValueForm::kAccess:
      return access_text(option.option.name, values);
  }
  return std::string();
}

// "f:1:2: timeouts.connect: what" without place and path, of a list "f:1:2: retry.statuses[0]: what": on a command line
// the option's name says it.
std::string without_place(const std::string& text, const std::string& path) {
  const std::size_t found = text.find(path);
  const std::size_t end = found == std::string::npos ? found : text.find(": ", found + path.size());
  return end == std::string::npos ? text : text.substr(end + 2);
}

Result<void> fill_field(const ResourceOption& option, const std::string& path, const std::string& value,
                        Message& resource) {
  std::string text = value;
  std::vector<std::string> steps = absl::StrSplit(path, '.');
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) text = absl::StrCat("{", *step, ": ", text, "}");
  std::unique_ptr<Message> part(resource.New());
  const absl::Status status = api::parse_yaml(text, "option", *part);
  if (!status.ok()) {
    std::string message(status.message());
    // The schema's words are upper case, those of a command line are not.
    if (option.form == ValueForm::kEnum || option.form == ValueForm::kEnumList)
      message = absl::AsciiStrToLower(message);
    return usage_error(absl::StrCat("--", option.option.name, ": ", without_place(message, path)));
  }
  resource.MergeFrom(*part);
  return {};
}

// A kind of check is a field of its own: what goes for all kinds stays. "none": the whole field, unset.
Result<std::string> fill_check(const ResourceOption& option, const std::string& value, Message& resource) {
  Result<v1::HealthCheck> check = parse_check(value);
  if (!check) return std::unexpected(check.error());
  if (check->check_case() == v1::HealthCheck::CHECK_NOT_SET) return option.path;
  std::string path = option.path + ".tcp";
  std::string text = "{}";
  if (check->has_http()) {
    path = option.path + ".http.path";
    text = base::quoted(check->http().path());
  } else if (check->has_grpc()) {
    path = option.path + ".grpc.service";
    text = base::quoted(check->grpc().service());
  }
  if (Result<void> filled = fill_field(option, path, text, resource); !filled) return std::unexpected(filled.error());
  return path;
}

}  // namespace

std::vector<ResourceOption> server_options() {
  return {
      {{.name = "weight", .value = "N", .help = "0 to 256; 0 takes no new requests"}, "weight"},
      {{.name = "max-connections", .value = "N", .help = "most connections at a time"}, "max_connections"},
      {{.name = "min-connections", .value = "N", .help = "its limit under little load; 0: it is always whole"},
       "min_connections"},
      {{.name = "admin-state", .value = "STATE", .help = "ready, drain or maintenance"},
       "admin_state",
       ValueForm::kEnum},
      {{.name = "priority", .value = "N", .help = "0 to 15, the lower the more preferred"}, "priority"},
      {{.name = "backup", .value = "BOOL", .help = "true: only while no other server can"}, "backup", ValueForm::kBool},
      {{.name = "check-disabled", .value = "BOOL", .help = "true: is not checked"},
       "health_check.disabled",
       ValueForm::kBool},
      {{.name = "check-port", .value = "PORT", .help = "where it is checked, on its address"}, "health_check.port"},
      {{.name = "check-address", .value = "ADDRESS", .help = "where it is checked"}, "health_check.address"},
      {{.name = "track", .value = "BACKEND/SERVER", .help = "whose health is its own; \"\" for none"},
       "health_check.track"},
      labels(),
  };
}

std::vector<ResourceOption> backend_options() {
  return {
      {{.name = "balance",
        .value = "ALGORITHM",
        .help = "round_robin, random, static_round_robin, least_connections, first, sticky, peak_ewma, prequal or "
                "hash"},
       "balance.algorithm",
       ValueForm::kEnum},
      {{.name = "draws", .value = "N", .help = "random, least_connections: servers compared, 1 to 16"},
       "balance.draws"},
      {{.name = "ewma-decay", .value = "TIME", .help = "peak_ewma: how soon what was slow is forgotten"},
       "balance.peak_ewma.decay"},
      {{.name = "prequal-pool-size", .value = "N", .help = "prequal: most probes of a worker, 2 to 64"},
       "balance.prequal.pool_size"},
      {{.name = "prequal-probes", .value = "N", .help = "prequal: servers looked at for a request, 1 to 16"},
       "balance.prequal.probes"},
      {{.name = "prequal-hot-percent", .value = "N", .help = "prequal: what is hot, 0 to 100"},
       "balance.prequal.hot_percent"},
      {{.name = "prequal-probe-age", .value = "TIME", .help = "prequal: how long a probe is used"},
       "balance.prequal.probe_age"},
      {{.name = "hash-key",
        .value = "TEMPLATE",
        .help = "hash: text with {source}, {path}, {uri}, {query:NAME}, {header:NAME} or {cookie:NAME}"},
       "balance.hash.key"},
      {{.name = "hash-type", .value = "TYPE", .help = "hash: consistent, ring, maglev or modulo"},
       "balance.hash.type",
       ValueForm::kEnum},
      {{.name = "hash-table-size", .value = "N", .help = "hash, maglev: a prime, 251 to 5000011"},
       "balance.hash.table_size"},
      {{.name = "hash-balance-factor",
        .value = "N",
        .help = "hash: most load in percent of a share, above 100; 0: any"},
       "balance.hash.balance_factor"},
      {{.name = "default-weight", .value = "N", .help = "weight of servers that set none"}, "server_defaults.weight"},
      {{.name = "default-max-connections", .value = "N", .help = "the same for max-connections"},
       "server_defaults.max_connections"},
      {{.name = "min-connections",
        .value = "N",
        .help = "limits of servers grow from this with the load; 0: are whole"},
       "server_defaults.min_connections"},
      {{.name = "full-connections", .value = "N", .help = "in flight in the backend when limits are whole"},
       "server_defaults.full_connections"},
      {{.name = "connect-timeout", .value = "TIME", .help = "until a connection to a server is open"},
       "timeouts.connect"},
      {{.name = "response-timeout", .value = "TIME", .help = "until a response's head is complete"},
       "timeouts.response"},
      {{.name = "idle-timeout", .value = "TIME", .help = "without progress of a body or connection"}, "timeouts.idle"},
      {{.name = "retries", .value = "N", .help = "further tries on other servers, 0 to 10"}, "retry.attempts"},
      {{.name = "retry-on",
        .value = "CONDITION",
        .help = "connect_failure, refused, reset, empty_response, timeout or bad_response; repeatable",
        .repeatable = true},
       "retry.conditions",
       ValueForm::kEnumList},
      {{.name = "retry-status",
        .value = "STATUS",
        .help = "a response's status that leads to another try; repeatable",
        .repeatable = true},
       "retry.statuses",
       ValueForm::kList},
      {{.name = "retry-non-idempotent", .value = "BOOL", .help = "POST and the like, too"},
       "retry.non_idempotent",
       ValueForm::kBool},
      {{.name = "try-timeout", .value = "TIME", .help = "of each try, until a response's head is complete"},
       "retry.per_try_timeout"},
      {{.name = "back-off", .value = "TIME", .help = "a pause before the second try, longer before each further one"},
       "retry.back_off.base"},
      {{.name = "back-off-max", .value = "TIME", .help = "the longest pause"}, "retry.back_off.max"},
      {{.name = "retry-budget", .value = "PERCENT", .help = "most retries at a time, of what is in flight"},
       "retry.budget_percent"},
      {{.name = "hedge-after",
        .value = "TIME",
        .help = "another server is asked too where the first is silent so long"},
       "retry.hedge_after"},
      {{.name = "queue-max", .value = "N", .help = "most requests that wait while all servers are full; 0: none"},
       "queue.max_waiting"},
      {{.name = "queue-timeout", .value = "TIME", .help = "how long each of them waits"}, "queue.timeout"},
      {{.name = "circuit-max-requests", .value = "N", .help = "most requests at a time, waiting or not; 0: any number"},
       "circuit.max_requests"},
      {{.name = "circuit-max-retries", .value = "N", .help = "most of them that are tried again; 0: any number"},
       "circuit.max_retries"},
      {{.name = "drain-timeout", .value = "TIME", .help = "how long a leaving server may finish"}, "drain.timeout"},
      {{.name = "drain-jitter", .value = "TIME", .help = "spreads the closing at the drain's end"}, "drain.jitter"},
      {{.name = "check", .value = "CHECK", .help = "http:/path, tcp, grpc, grpc:service or none"},
       "health_check",
       ValueForm::kCheck},
      {{.name = "check-method", .value = "METHOD", .help = "http: get, head, options or post"},
       "health_check.http.method",
       ValueForm::kEnum},
      {{.name = "check-host", .value = "HOST", .help = "http: the Host field"}, "health_check.http.host"},
      {{.name = "check-header",
        .value = "NAME=VALUE",
        .help = "http: a field to send; repeatable, set replaces all",
        .repeatable = true},
       "health_check.http.headers",
       ValueForm::kLabels},
      {{.name = "check-status",
        .value = "FIRST-LAST",
        .help = "http: statuses of a healthy server, 200-399 by default; repeatable, set replaces all",
        .repeatable = true},
       "health_check.http.expected_statuses",
       ValueForm::kStatuses},
      {{.name = "check-body", .value = "TEXT", .help = "http: what the body must contain"},
       "health_check.http.body_contains"},
      {{.name = "check-interval", .value = "TIME", .help = "from check to check"}, "health_check.interval"},
      {{.name = "check-fast-interval", .value = "TIME", .help = "the same while the state may change"},
       "health_check.fast_interval"},
      {{.name = "check-down-interval", .value = "TIME", .help = "the same for servers that are down"},
       "health_check.down_interval"},
      {{.name = "check-timeout", .value = "TIME", .help = "for a whole check"}, "health_check.timeout"},
      {{.name = "check-rise", .value = "N", .help = "successes in a row that make a server up"}, "health_check.rise"},
      {{.name = "check-fall", .value = "N", .help = "failures in a row that make it down"}, "health_check.fall"},
      {{.name = "check-port", .value = "PORT", .help = "where servers are checked, on their addresses"},
       "health_check.port"},
      {{.name = "check-address", .value = "ADDRESS", .help = "where all are checked"}, "health_check.address"},
      {{.name = "check-initial-state", .value = "STATE", .help = "of a new server: pending or up"},
       "health_check.initial_state",
       ValueForm::kEnum},
      {{.name = "on-marked-down", .value = "WHAT", .help = "with what a server has that is marked down: keep or close"},
       "on_marked_down",
       ValueForm::kEnum},
      {{.name = "on-marked-up",
        .value = "WHAT",
        .help = "with what backups have that are not needed any more: keep or close-backups"},
       "on_marked_up",
       ValueForm::kEnum},
      {{.name = "agent-port", .value = "PORT", .help = "where servers' agents listen, on their addresses"},
       "health_check.agent.port"},
      {{.name = "agent-address", .value = "ADDRESS", .help = "where one agent listens for all"},
       "health_check.agent.address"},
      {{.name = "agent-interval", .value = "TIME", .help = "from question to question"}, "health_check.agent.interval"},
      {{.name = "agent-send", .value = "TEXT", .help = "what an agent is asked with"}, "health_check.agent.send"},
      {{.name = "check-proxy-header", .value = "VERSION", .help = "PROXY header to send first: v1 or v2"},
       "health_check.proxy_header",
       ValueForm::kEnum},
      {{.name = "overprovisioning", .value = "PERCENT", .help = "what a preferred server is good for, 100 to 10000"},
       "failover.overprovisioning"},
      {{.name = "backups", .value = "USE", .help = "first or all"}, "failover.backups", ValueForm::kEnum},
      {{.name = "panic-threshold", .value = "PERCENT", .help = "with fewer healthy ones all take requests; 0: never"},
       "failover.panic_threshold"},
      {{.name = "prefer-near", .value = "BOOL", .help = "servers of the data plane's zone first"},
       "failover.zones.prefer_near",
       ValueForm::kBool},
      {{.name = "zone-label", .value = "KEY", .help = "the label that names a server's zone"}, "failover.zones.label"},
      {{.name = "min-near", .value = "N", .help = "with fewer near servers far ones take their share"},
       "failover.zones.min_near"},
      {{.name = "slow-start", .value = "TIME", .help = "until a new server has its full share"}, "slow_start.window"},
      {{.name = "slow-start-exponent", .value = "N", .help = "1 is linear, up to 10 begins slower"},
       "slow_start.exponent"},
      {{.name = "slow-start-min", .value = "PERCENT", .help = "what it has from the beginning"},
       "slow_start.min_percent"},
      {{.name = "observe", .value = "WHAT", .help = "what makes outliers: responses or connections"},
       "outlier_detection.observe",
       ValueForm::kEnum},
      {{.name = "outlier-errors", .value = "N", .help = "errors in a row that eject a server for a while"},
       "outlier_detection.consecutive_errors"},
      {{.name = "outlier-gateway-errors", .value = "N", .help = "the same of 502, 503, 504 and no response"},
       "outlier_detection.consecutive_gateway_errors"},
      {{.name = "on-error",
        .value = "WHAT",
        .help = "what errors in a row do: eject, fast-interval, fail-check or mark-down"},
       "outlier_detection.on_error",
       ValueForm::kEnum},
      {{.name = "outlier-interval", .value = "TIME", .help = "over which requests are compared"},
       "outlier_detection.interval"},
      {{.name = "outlier-failures", .value = "PERCENT", .help = "of a server's requests in it that eject it"},
       "outlier_detection.failure_percentage.threshold"},
      {{.name = "outlier-failures-min-requests", .value = "N", .help = "with fewer it is not looked at"},
       "outlier_detection.failure_percentage.min_requests"},
      {{.name = "outlier-failures-min-servers", .value = "N", .help = "with fewer of these nobody is ejected"},
       "outlier_detection.failure_percentage.min_servers"},
      {{.name = "outlier-deviation",
        .value = "PERCENT",
        .help = "of a standard deviation below the mean of successes that eject a server"},
       "outlier_detection.success_rate.deviation_percent"},
      {{.name = "outlier-deviation-min-requests", .value = "N", .help = "with fewer it is not looked at"},
       "outlier_detection.success_rate.min_requests"},
      {{.name = "outlier-deviation-min-servers", .value = "N", .help = "with fewer of these nobody is ejected"},
       "outlier_detection.success_rate.min_servers"},
      {{.name = "ejection-time", .value = "TIME", .help = "of the first ejection; the next ones are longer"},
       "outlier_detection.base_ejection_time"},
      {{.name = "ejection-time-max", .value = "TIME", .help = "of the longest"}, "outlier_detection.max_ejection_time"},
      {{.name = "max-ejected", .value = "PERCENT", .help = "most servers that are ejected at a time"},
       "outlier_detection.max_ejected_percent"},
      {{.name = "return-by-check", .value = "BOOL", .help = "whether a successful check ends an ejection"},
       "outlier_detection.return_by_check",
       ValueForm::kBool},
      {{.name = "srv", .value = "NAME", .help = "servers that DNS names, such as _http._tcp.app.internal"},
       "discovery.srv"},
      {{.name = "srv-also", .value = "NAME", .help = "further such names; repeatable", .repeatable = true},
       "discovery.also",
       ValueForm::kList},
      {{.name = "srv-max-servers", .value = "N", .help = "most of these, 100 by default"}, "discovery.max_servers"},
      {{.name = "pool-idle-timeout", .value = "TIME", .help = "how long an idle connection is kept"},
       "connection_pool.idle_timeout"},
      {{.name = "pool-max-idle", .value = "N", .help = "most idle ones for one server and worker"},
       "connection_pool.max_idle"},
      {{.name = "pool-purge-delay", .value = "TIME", .help = "in each, half of those not needed are closed; 0: none"},
       "connection_pool.purge_delay"},
      {{.name = "pool-min-idle", .value = "N", .help = "so many stay whatever was needed"}, "connection_pool.min_idle"},
      {{.name = "pool-warm", .value = "N", .help = "so many are opened to a server that begins; 0: none"},
       "connection_pool.warm"},
      {{.name = "cookie", .value = "NAME", .help = "a cookie that brings clients back to their servers"},
       "persistence.cookie.name"},
      {{.name = "cookie-mode", .value = "MODE", .help = "insert, or what servers set: rewrite or prefix"},
       "persistence.cookie.mode",
       ValueForm::kEnum},
      {{.name = "cookie-secret", .value = "TEXT", .help = "without it nobody can make values"},
       "persistence.cookie.secret"},
      {{.name = "cookie-indirect", .value = "BOOL", .help = "insert: servers do not see it"},
       "persistence.cookie.indirect",
       ValueForm::kBool},
      {{.name = "cookie-nocache", .value = "BOOL", .help = "insert: responses that set it are private"},
       "persistence.cookie.nocache",
       ValueForm::kBool},
      {{.name = "cookie-path", .value = "PATH", .help = "insert: where it holds, / by default"},
       "persistence.cookie.path"},
      {{.name = "cookie-domain", .value = "DOMAIN", .help = "insert: where it holds, beside the host asked"},
       "persistence.cookie.domain"},
      {{.name = "cookie-secure", .value = "BOOL", .help = "insert: over TLS only"},
       "persistence.cookie.secure",
       ValueForm::kBool},
      {{.name = "cookie-http-only", .value = "BOOL", .help = "insert: not for scripts"},
       "persistence.cookie.http_only",
       ValueForm::kBool},
      {{.name = "cookie-same-site", .value = "WHEN", .help = "insert: strict, lax or none"},
       "persistence.cookie.same_site",
       ValueForm::kEnum},
      {{.name = "cookie-max-age", .value = "TIME", .help = "insert: how long clients keep it"},
       "persistence.cookie.max_age"},
      {{.name = "cookie-max-idle", .value = "TIME", .help = "insert: how long clients may be silent and come back"},
       "persistence.cookie.max_idle"},
      {{.name = "cookie-max-life", .value = "TIME", .help = "insert: how long clients come back after the first time"},
       "persistence.cookie.max_life"},
      {{.name = "stick", .value = "TEMPLATE", .help = "remembers each key's server: as --hash-key"},
       "persistence.table.key"},
      {{.name = "stick-entries", .value = "N", .help = "most keys that are remembered"},
       "persistence.table.max_entries"},
      {{.name = "stick-expire", .value = "TIME", .help = "how long, since a key was last used"},
       "persistence.table.expire"},
      {{.name = "pool-reuse",
        .value = "REUSE",
        .help = "never, safe (not a client's first request) or always over used connections"},
       "connection_pool.reuse",
       ValueForm::kEnum},
      {{.name = "pool-max-requests", .value = "N", .help = "requests over one connection; 0: any number"},
       "connection_pool.max_requests"},
      {{.name = "source-address", .value = "IP", .help = "where connections to servers come from"},
       "connection_pool.source_address"},
      {{.name = "transparent", .value = "BOOL", .help = "they come from clients' own addresses"},
       "connection_pool.transparent",
       ValueForm::kBool},
      {{.name = "send-proxy", .value = "VERSION", .help = "v1 or v2: servers are told of clients by a PROXY header"},
       "send_proxy_protocol.version",
       ValueForm::kEnum},
      {{.name = "send-proxy-crc32c", .value = "BOOL", .help = "v2: with a checksum"},
       "send_proxy_protocol.crc32c",
       ValueForm::kBool},
      {{.name = "send-proxy-authority", .value = "BOOL", .help = "v2: with the name that the client asked for"},
       "send_proxy_protocol.authority",
       ValueForm::kBool},
      {{.name = "send-proxy-unique-id", .value = "BOOL", .help = "v2: with a name for the client's connection"},
       "send_proxy_protocol.unique_id",
       ValueForm::kBool},
      {{.name = "tcp-keep-alive-time", .value = "TIME", .help = "until the first probe of servers"},
       "tcp.keep_alive.time"},
      {{.name = "tcp-keep-alive-interval", .value = "TIME", .help = "between probes"}, "tcp.keep_alive.interval"},
      {{.name = "tcp-keep-alive-probes", .value = "N", .help = "until the connection is broken"},
       "tcp.keep_alive.probes"},
      {{.name = "tcp-user-timeout", .value = "TIME", .help = "for what was sent and is not acknowledged"},
       "tcp.user_timeout"},
      {{.name = "tls-verify", .value = "BOOL", .help = "servers speak TLS; whether their certificates are checked"},
       "tls.verify",
       ValueForm::kBool},
      {{.name = "tls-ca",
        .value = "FILE",
        .help = "PEM: whose certificates of servers are believed; default the system's"},
       "tls.ca",
       ValueForm::kFile},
      {{.name = "tls-name", .value = "HOST", .help = "whom servers' certificates have to be for"}, "tls.name"},
      {{.name = "tls-sni", .value = "HOST", .help = "the host that servers are told"}, "tls.sni"},
      {{.name = "tls-pin", .value = "HASH", .help = "SHA-256 of a server's public key; repeatable", .repeatable = true},
       "tls.pins",
       ValueForm::kList},
      {{.name = "tls-client-certificate", .value = "CERTIFICATE", .help = "is shown to servers that ask for one"},
       "tls.client_certificate"},
      {{.name = "tls-min-version", .value = "VERSION", .help = "1.2 or 1.3; default 1.2"},
       "tls.min_version",
       ValueForm::kEnum},
      {{.name = "tls-ciphers", .value = "LIST", .help = "for TLS 1.2, as OpenSSL lists them"}, "tls.ciphers"},
      {{.name = "tls-cipher-suites", .value = "LIST", .help = "for TLS 1.3"}, "tls.cipher_suites"},
      {{.name = "tls-alpn", .value = "PROTOCOL", .help = "is offered; repeatable", .repeatable = true},
       "tls.alpn",
       ValueForm::kList},
      {{.name = "tls-session-reuse", .value = "BOOL", .help = "whether sessions are resumed; default true"},
       "tls.session_reuse",
       ValueForm::kBool},
      {{.name = "tls", .value = "default", .help = "default: servers are spoken to in the clear"}, "tls"},
      {{.name = "check-tls", .value = "BOOL", .help = "whether checks speak TLS; default where servers do"},
       "health_check.tls",
       ValueForm::kBool},
      labels(),
  };
}

std::vector<ResourceOption> listener_options() {
  return {
      {{.name = "bind", .value = "ADDRESS", .help = "where to listen; repeatable", .repeatable = true},
       "bind",
       ValueForm::kList},
      {{.name = "protocol", .value = "PROTOCOL", .help = "http or tcp"}, "protocol", ValueForm::kEnum},
      {{.name = "default-backend", .value = "BACKEND", .help = "for what no route matches"}, "default_backend"},
      {{.name = "route",
        .value = "HOST/PATH=BACKEND",
        .help = "repeatable, set replaces all; host or path may be left out; BACKEND@0 to @7 for a queue's priority; "
                "BACKEND,rate:N/TIME,burst:N for a limit",
        .repeatable = true},
       "routes",
       ValueForm::kRoutes},
      {{.name = "max-connections", .value = "N", .help = "most open at a time; 0: no limit"}, "max_connections"},
      {{.name = "max-connections-per-client", .value = "N", .help = "most of a client address; 0: no limit"},
       "max_connections_per_client"},
      {{.name = "proxy-from",
        .value = "NETWORK",
        .help = "connections from there begin with a PROXY header; repeatable, set replaces all; or \"unix\"",
        .repeatable = true},
       "proxy_protocol.trusted",
       ValueForm::kList},
      {{.name = "proxy-allow-others",
        .value = "BOOL",
        .help = "connections from elsewhere are taken, without a header"},
       "proxy_protocol.allow_others",
       ValueForm::kBool},
      {{.name = "proxy-header-timeout", .value = "TIME", .help = "for a PROXY header"}, "timeouts.proxy_header"},
      {{.name = "access",
        .value = "allow|deny:NETWORK,...",
        .help = "repeatable, set replaces all; the first that has the client's network decides",
        .repeatable = true},
       "access.rules",
       ValueForm::kAccess},
      {{.name = "access-otherwise", .value = "ACTION", .help = "allow or deny whom no --access has"},
       "access.otherwise",
       ValueForm::kEnum},
      {{.name = "minimum-head-rate", .value = "N", .help = "bytes a second that clients must send of a head"},
       "minimum_rates.head"},
      {{.name = "minimum-body-rate", .value = "N", .help = "the same of a body"}, "minimum_rates.body"},
      {{.name = "minimum-send-rate", .value = "N", .help = "bytes a second that clients must read"},
       "minimum_rates.send"},
      {{.name = "minimum-rate-grace", .value = "TIME", .help = "that they may lose"}, "minimum_rates.grace"},
      {{.name = "tcp-keep-alive-time", .value = "TIME", .help = "until the first probe of clients"},
       "tcp.keep_alive.time"},
      {{.name = "tcp-keep-alive-interval", .value = "TIME", .help = "between probes"}, "tcp.keep_alive.interval"},
      {{.name = "tcp-keep-alive-probes", .value = "N", .help = "until the connection is broken"},
       "tcp.keep_alive.probes"},
      {{.name = "tcp-user-timeout", .value = "TIME", .help = "for what was sent and is not acknowledged"},
       "tcp.user_timeout"},
      {{.name = "tcp-backlog", .value = "N", .help = "how many may wait to be accepted"}, "tcp.backlog"},
      {{.name = "tcp-defer-accept", .value = "TIME", .help = "waits so long for a first byte"}, "tcp.defer_accept"},
      {{.name = "tcp-fast-open", .value = "N", .help = "how many may come with data at once"}, "tcp.fast_open"},
      {{.name = "rate-limit", .value = "N", .help = "requests, or TCP connections, in a time; 0: no limit"},
       "rate_limit.requests"},
      {{.name = "rate-limit-per", .value = "TIME", .help = "that time; default 1s"}, "rate_limit.per"},
      {{.name = "rate-limit-burst", .value = "N", .help = "how many may come at once"}, "rate_limit.burst"},
      {{.name = "client-rate-limit", .value = "N", .help = "the same for each client address"},
       "client_rate_limit.limit.requests"},
      {{.name = "client-rate-limit-per", .value = "TIME", .help = "the same for each client address"},
       "client_rate_limit.limit.per"},
      {{.name = "client-rate-limit-burst", .value = "N", .help = "the same for each client address"},
       "client_rate_limit.limit.burst"},
      {{.name = "client-rate-limit-addresses", .value = "N", .help = "how many addresses are known at a time"},
       "client_rate_limit.max_addresses"},
      {{.name = "request-head-timeout", .value = "TIME", .help = "for a request's head"}, "timeouts.request_head"},
      {{.name = "keep-alive-timeout", .value = "TIME", .help = "between requests"}, "timeouts.keep_alive"},
      {{.name = "idle-timeout", .value = "TIME", .help = "without progress"}, "timeouts.idle"},
      {{.name = "max-head-bytes", .value = "N", .help = "largest head, 1024 to 24576"}, "http.max_head_bytes"},
      {{.name = "max-headers", .value = "N", .help = "most header lines, 1 to 256"}, "http.max_headers"},
      {{.name = "forwarded", .value = "POLICY", .help = "forwarded headers: append, replace, keep or remove"},
       "http.forwarded",
       ValueForm::kEnum},
      {{.name = "forwarded-format", .value = "FORMAT", .help = "x-forwarded, forwarded (RFC 7239) or both"},
       "http.forwarded_format",
       ValueForm::kEnum},
      {{.name = "trusted-hops", .value = "N", .help = "proxies before this listener that are believed"},
       "http.trusted_hops"},
      {{.name = "max-body-bytes", .value = "N", .help = "largest body of a request"}, "http.max_body_bytes"},
      {{.name = "path-dot-segments", .value = "ACTION", .help = "\".\" and \"..\": keep, normalize or refuse"},
       "http.path.dot_segments",
       ValueForm::kEnum},
      {{.name = "path-repeated-slashes", .value = "ACTION", .help = "\"//\": the same"},
       "http.path.repeated_slashes",
       ValueForm::kEnum},
      {{.name = "path-encoded-slashes", .value = "ACTION", .help = "\"%2f\" and \"%5c\": the same"},
       "http.path.encoded_slashes",
       ValueForm::kEnum},
      {{.name = "path-escapes", .value = "ACTION", .help = "needless and malformed escapes: the same"},
       "http.path.escapes",
       ValueForm::kEnum},
      {{.name = "quirk",
        .value = "NAME",
        .help = "accept of old clients: bare-line-feed, underscore-names, empty-lines",
        .repeatable = true},
       "http.quirks",
       ValueForm::kEnumList},
      {{.name = "tls", .value = "default", .help = "default: clients speak in the clear"}, "tls"},
      {{.name = "tls-certificate",
        .value = "CERTIFICATE",
        .help = "clients speak TLS; repeatable, the first is for clients that name no host",
        .repeatable = true},
       "tls.certificates",
       ValueForm::kList},
      {{.name = "tls-min-version", .value = "VERSION", .help = "1.2 or 1.3; default 1.2"},
       "tls.min_version",
       ValueForm::kEnum},
      {{.name = "tls-ciphers", .value = "LIST", .help = "for TLS 1.2, as OpenSSL lists them"}, "tls.ciphers"},
      {{.name = "tls-cipher-suites", .value = "LIST", .help = "for TLS 1.3"}, "tls.cipher_suites"},
      {{.name = "tls-alpn", .value = "PROTOCOL", .help = "for ALPN; repeatable", .repeatable = true},
       "tls.alpn",
       ValueForm::kList},
      {{.name = "tls-strict-sni", .value = "BOOL", .help = "whether hosts that no certificate has are refused"},
       "tls.strict_sni",
       ValueForm::kBool},
      {{.name = "tls-handshake-timeout", .value = "TIME", .help = "for the whole handshake"}, "tls.handshake_timeout"},
      {{.name = "tls-session-tickets", .value = "BOOL", .help = "whether clients may resume; default true"},
       "tls.session_tickets",
       ValueForm::kBool},
      {{.name = "tls-client-certificates", .value = "MODE", .help = "optional or required; needs --tls-client-ca"},
       "tls.client_certificates.mode",
       ValueForm::kEnum},
      {{.name = "tls-client-ca", .value = "FILE", .help = "PEM: whose certificates of clients are believed"},
       "tls.client_certificates.ca",
       ValueForm::kFile},
      {{.name = "tls-subject-header", .value = "NAME", .help = "tells servers the subject of the client's certificate"},
       "tls.client_certificates.subject_header"},
      labels(),
  };
}

std::vector<Option> plain_options(const std::vector<ResourceOption>& options) {
  std::vector<Option> plain;
  for (const ResourceOption& option : options) plain.push_back(option.option);
  return plain;
}

Result<google::protobuf::FieldMask> fill_resource(const std::vector<ResourceOption>& options,
                                                  const Arguments& arguments, Message& resource) {
  google::protobuf::FieldMask mask;
  for (const ResourceOption& option : options) {
    if (!arguments.has(option.option.name)) continue;
    const std::vector<std::string> values = arguments.values(option.option.name);
    const bool is_default = values == std::vector<std::string>{kDefaultWord};
    if (option.form == ValueForm::kCheck && !is_default) {
      Result<std::string> path = fill_check(option, values.back(), resource);
      if (!path) return std::unexpected(path.error());
      mask.add_paths(*path);
      continue;
    }
    mask.add_paths(option.path);
    if (is_default) continue;
    Result<std::string> text = yaml_value(option, values);
    if (!text) return std::unexpected(text.error());
    Result<void> filled = fill_field(option, option.path, *text, resource);
    if (!filled) return std::unexpected(filled.error());
  }
  return mask;
}

}  // namespace fairlead::ctl
