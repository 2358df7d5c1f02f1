#include "ctl/resource_options.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
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

// A message's YAML on one line: JSON's flow style is YAML.
Result<std::string> routes_text(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    Result<v1::Route> route = parse_route(value);
    if (!route) return std::unexpected(route.error());
    const std::string hosts = absl::StrJoin(
        route->hosts(), ", ", [](std::string* out, const std::string& host) { out->append(base::quoted(host)); });
    absl::StrAppend(&text, "{hosts: [", hosts, "], path_prefix: ", base::quoted(route->path_prefix()),
                    ", backend: ", base::quoted(route->backend()), "}, ");
  }
  return "[" + text + "]";
}

Result<std::string> labels_text(const std::vector<std::string>& values) {
  auto parsed = parse_labels("--label", values);
  if (!parsed) return std::unexpected(parsed.error());
  std::string text;
  for (const auto& [key, value] : *parsed) absl::StrAppend(&text, base::quoted(key), ": ", base::quoted(value), ", ");
  return "{" + text + "}";
}

Result<std::string> check_text(const std::string& value) {
  Result<v1::HealthCheck> check = parse_check(value);
  if (!check) return std::unexpected(check.error());
  if (check->has_http()) return "{http: {path: " + base::quoted(check->http().path()) + "}}";
  return std::string(check->has_tcp() ? "{tcp: {}}" : "{}");
}

// The option's value as YAML; the schema's reader then checks it as it would in a file.
Result<std::string> yaml_value(const ResourceOption& option, const std::vector<std::string>& values) {
  switch (option.form) {
    case ValueForm::kScalar:
      return base::quoted(values.back());
    case ValueForm::kEnum:
      return base::quoted(absl::AsciiStrToUpper(absl::StrReplaceAll(values.back(), {{"-", "_"}})));
    case ValueForm::kLabels:
      return labels_text(values);
    case ValueForm::kList: {
      const auto quote = [](std::string* out, const std::string& value) { out->append(base::quoted(value)); };
      return absl::StrCat("[", absl::StrJoin(values, ", ", quote), "]");
    }
    case ValueForm::kRoutes:
      return routes_text(values);
    case ValueForm::kCheck:
      return check_text(values.back());
  }
  return std::string();
}

// "f:1:2: timeouts.connect: what" without place and path: on a command line the option's name says it.
std::string without_place(const std::string& text, const std::string& path) {
  const std::size_t found = text.find(path + ": ");
  if (found != std::string::npos) return text.substr(found + path.size() + 2);
  return text;
}

Result<void> fill_field(const ResourceOption& option, const std::string& value, Message& resource) {
  std::string text = value;
  std::vector<std::string> steps = absl::StrSplit(option.path, '.');
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) text = absl::StrCat("{", *step, ": ", text, "}");
  std::unique_ptr<Message> part(resource.New());
  const absl::Status status = api::parse_yaml(text, "option", *part);
  if (!status.ok()) {
    std::string message(status.message());
    // The schema's words are upper case, those of a command line are not.
    if (option.form == ValueForm::kEnum) message = absl::AsciiStrToLower(message);
    return usage_error(absl::StrCat("--", option.option.name, ": ", without_place(message, option.path)));
  }
  resource.MergeFrom(*part);
  return {};
}

}  // namespace

std::vector<ResourceOption> server_options() {
  return {
      {{.name = "weight", .value = "N", .help = "0 to 256; 0 takes no new requests"}, "weight"},
      {{.name = "max-connections", .value = "N", .help = "most connections at a time"}, "max_connections"},
      {{.name = "admin-state", .value = "STATE", .help = "ready, drain or maintenance"},
       "admin_state",
       ValueForm::kEnum},
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
      {{.name = "hash-type", .value = "TYPE", .help = "hash: consistent"}, "balance.hash.type", ValueForm::kEnum},
      {{.name = "default-weight", .value = "N", .help = "weight of servers that set none"}, "server_defaults.weight"},
      {{.name = "default-max-connections", .value = "N", .help = "the same for max-connections"},
       "server_defaults.max_connections"},
      {{.name = "connect-timeout", .value = "TIME", .help = "until a connection to a server is open"},
       "timeouts.connect"},
      {{.name = "response-timeout", .value = "TIME", .help = "until a response's head is complete"},
       "timeouts.response"},
      {{.name = "idle-timeout", .value = "TIME", .help = "without progress of a body or connection"}, "timeouts.idle"},
      {{.name = "retries", .value = "N", .help = "further tries where it is safe, 0 to 10"}, "retry.attempts"},
      {{.name = "drain-timeout", .value = "TIME", .help = "how long a leaving server may finish"}, "drain.timeout"},
      {{.name = "drain-jitter", .value = "TIME", .help = "spreads the closing at the drain's end"}, "drain.jitter"},
      {{.name = "check", .value = "CHECK", .help = "http:/path, tcp or none"}, "health_check", ValueForm::kCheck},
      {{.name = "pool-idle-timeout", .value = "TIME", .help = "how long an idle connection is kept"},
       "connection_pool.idle_timeout"},
      {{.name = "pool-max-idle", .value = "N", .help = "most idle ones for one server and worker"},
       "connection_pool.max_idle"},
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
        .help = "repeatable, set replaces all; host or path may be left out",
        .repeatable = true},
       "routes",
       ValueForm::kRoutes},
      {{.name = "max-connections", .value = "N", .help = "most open at a time; 0: no limit"}, "max_connections"},
      {{.name = "request-head-timeout", .value = "TIME", .help = "for a request's head"}, "timeouts.request_head"},
      {{.name = "keep-alive-timeout", .value = "TIME", .help = "between requests"}, "timeouts.keep_alive"},
      {{.name = "idle-timeout", .value = "TIME", .help = "without progress"}, "timeouts.idle"},
      {{.name = "max-head-bytes", .value = "N", .help = "largest head, 1024 to 24576"}, "http.max_head_bytes"},
      {{.name = "max-headers", .value = "N", .help = "most header lines, 1 to 256"}, "http.max_headers"},
      {{.name = "forwarded", .value = "POLICY", .help = "X-Forwarded-*: append, replace or keep"},
       "http.forwarded",
       ValueForm::kEnum},
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
    mask.add_paths(option.path);
    const std::vector<std::string> values = arguments.values(option.option.name);
    if (values == std::vector<std::string>{kDefaultWord}) continue;
    Result<std::string> text = yaml_value(option, values);
    if (!text) return std::unexpected(text.error());
    if (Result<void> filled = fill_field(option, *text, resource); !filled) return std::unexpected(filled.error());
  }
  return mask;
}

}  // namespace fairlead::ctl
