#include "ctl/resource_options.h"

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "api/yaml.h"
#include "api/yaml_text.h"
#include "base/quoted.h"
#include "ctl/values.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::ctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;

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

const google::protobuf::FieldDescriptor* field_at(const std::string& path, const Descriptor& resource) {
  const Descriptor* type = &resource;
  const google::protobuf::FieldDescriptor* field = nullptr;
  for (const absl::string_view step : absl::StrSplit(path, '.')) {
    field = type->FindFieldByName(std::string(step));
    type = field->message_type();
  }
  return field;
}

// As they are written on a command line.
std::vector<std::string> choices(const ResourceOption& option, const Descriptor& resource) {
  if (option.form == ValueForm::kBool) return {"true", "false"};
  if (option.form != ValueForm::kEnum && option.form != ValueForm::kEnumList) return {};
  const auto& type = *field_at(option.path, resource)->enum_type();
  std::vector<std::string> words;
  // The first stands for none.
  for (int i = 1; i < type.value_count(); ++i) {
    words.push_back(absl::AsciiStrToLower(api::short_enum_name(*type.value(i))));
  }
  return words;
}

bool is_default(const ResourceOption& option, const Arguments& arguments) {
  return arguments.values(option.option.name) == std::vector<std::string>{kDefaultWord};
}

// What `default` unsets.
std::string default_path(const ResourceOption& option, const std::vector<ResourceOption>& options,
                         const Arguments& arguments) {
  if (option.default_path.empty()) return option.path;
  const bool stays = std::ranges::any_of(options, [&](const ResourceOption& other) {
    return other.path.starts_with(option.default_path + ".") && arguments.has(other.option.name) &&
           !is_default(other, arguments);
  });
  return stays ? option.path : option.default_path;
}

// A check is of one kind: what is set of an HTTP check would make it one.
Result<void> check_one_kind(const std::vector<ResourceOption>& options, const Arguments& arguments) {
  const std::string kind = arguments.value("check");
  if (kind.empty() || kind.starts_with("http:")) return {};
  for (const ResourceOption& option : options) {
    if (!option.path.starts_with("health_check.http.") || !arguments.has(option.option.name)) continue;
    if (is_default(option, arguments)) continue;
    return usage_error(absl::StrCat("--", option.option.name, ": is for HTTP checks, and --check says ",
                                    base::quoted(kind), "; leave one of them out, or --check http:/path"));
  }
  return {};
}

}  // namespace

ResourceOption labels_option() {
  return {{.name = "label", .value = "KEY=VALUE", .help = "a label; set replaces all", .repeatable = true},
          "labels",
          ValueForm::kLabels};
}

std::vector<Option> plain_options(const std::vector<ResourceOption>& options,
                                  const google::protobuf::Descriptor& resource) {
  std::vector<Option> plain;
  for (const ResourceOption& option : options) {
    plain.push_back(option.option);
    plain.back().choices = choices(option, resource);
  }
  return plain;
}

Result<google::protobuf::FieldMask> fill_resource(const std::vector<ResourceOption>& options,
                                                  const Arguments& arguments, Message& resource) {
  if (Result<void> one_kind = check_one_kind(options, arguments); !one_kind) return std::unexpected(one_kind.error());
  google::protobuf::FieldMask mask;
  for (const ResourceOption& option : options) {
    if (!arguments.has(option.option.name)) continue;
    if (is_default(option, arguments)) {
      mask.add_paths(default_path(option, options, arguments));
      continue;
    }
    const std::vector<std::string> values = arguments.values(option.option.name);
    if (option.form == ValueForm::kCheck) {
      Result<std::string> path = fill_check(option, values.back(), resource);
      if (!path) return std::unexpected(path.error());
      mask.add_paths(*path);
      continue;
    }
    mask.add_paths(option.path);
    Result<std::string> text = yaml_value(option, values);
    if (!text) return std::unexpected(text.error());
    Result<void> filled = fill_field(option, option.path, *text, resource);
    if (!filled) return std::unexpected(filled.error());
  }
  return mask;
}

}  // namespace fairlead::ctl
