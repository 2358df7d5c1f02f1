#include "api/route_actions.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "api/http_policy.h"
#include "config/text.h"

namespace fairlead::api {
namespace {

using config::concat;
using config::HeaderActions;

constexpr std::array<uint32_t, 5> kRedirectStatuses = {301, 302, 303, 307, 308};

// Names of fields that say how a message is framed, where it goes or where it came from are other settings' matter.
config::Problem check_action_name(const std::string& name) {
  constexpr std::array<std::string_view, 4> kForwarded = {"forwarded", "x-forwarded-for", "x-forwarded-proto", "via"};
  if (config::Problem problem = config::check_header(name, "")) return problem;
  std::string lower = absl::AsciiStrToLower(name);
  if (std::ranges::find(kForwarded, lower) == kForwarded.end()) return std::nullopt;
  return concat(config::quoted(name),
                " is written by the listener; its http.forwarded and http.forwarded_format say how");
}

std::vector<config::HeaderField> decode_fields(FieldChecker& checker,
                                               const google::protobuf::RepeatedPtrField<v1::HeaderField>& fields,
                                               const std::string& name) {
  std::vector<config::HeaderField> result;
  for (int i = 0; i < fields.size() && checker.ok(); ++i) {
    const v1::HeaderField& field = fields[i];
    const std::string at = concat(name, "[", i, "]");
    checker.check(at + ".name", check_action_name(field.name()));
    if (checker.ok()) checker.check(at + ".value", config::check_header(field.name(), field.value()));
    result.push_back({field.name(), field.value()});
  }
  return result;
}

void check_unique(FieldChecker& checker, const std::vector<config::HeaderField>& fields, const std::string& name) {
  for (size_t i = 0; i < fields.size() && checker.ok(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (absl::AsciiStrToLower(fields[i].name) != absl::AsciiStrToLower(fields[j].name)) continue;
      checker.fail(concat(name, "[", i, "].name"), "is set twice; `add` gives a field several values");
    }
  }
}

HeaderActions decode_headers(FieldChecker& checker, const v1::HeaderActions& message, const std::string& field) {
  const std::array<std::pair<std::string_view, int>, 3> sizes = {
      {{".remove", message.remove_size()}, {".set", message.set_size()}, {".add", message.add_size()}}};
  for (const auto& [name, size] : sizes) {
    if (static_cast<size_t>(size) > config::kHeaderActionsMax)
      checker.fail(concat(field, name),
                   concat("has ", size, " entries, at most ", config::kHeaderActionsMax, " are allowed"));
  }
  HeaderActions actions;
  for (int i = 0; i < message.remove_size() && checker.ok(); ++i) {
    checker.check(concat(field, ".remove[", i, "]"), check_action_name(message.remove(i)));
    actions.remove.push_back(message.remove(i));
  }
  actions.set = decode_fields(checker, message.set(), field + ".set");
  check_unique(checker, actions.set, field + ".set");
  actions.add = decode_fields(checker, message.add(), field + ".add");
  const size_t bytes = config::HeaderChanges::of(actions).lines.size();
  if (bytes > config::kHeaderLinesMax)
    checker.fail(
        field, concat("gives a message ", bytes, " bytes of lines, at most ", config::kHeaderLinesMax, " are allowed"));
  return actions;
}

config::Problem check_one_host(const std::string& host) {
  if (host.empty()) return std::nullopt;
  if (host.starts_with("*.")) return concat(config::quoted(host), " is a wildcard; there is one host here");
  return config::check_host(host);
}

config::Redirect decode_redirect(FieldChecker& checker, const v1::Redirect& message, const std::string& field) {
  config::Redirect redirect{.status = {},
                            .scheme = message.scheme(),
                            .host = message.host(),
                            .port = {},
                            .path = message.path(),
                            .path_prefix = message.path_prefix(),
                            .drop_query = message.drop_query()};
  if (message.has_status()) {
    bool is_known = std::ranges::find(kRedirectStatuses, message.status()) != kRedirectStatuses.end();
    if (!is_known) checker.fail(field + ".status", concat(message.status(), " is not one of 301, 302, 303, 307, 308"));
    redirect.status = static_cast<uint16_t>(message.status());
  }
  if (!redirect.scheme.empty() && redirect.scheme != "http" && redirect.scheme != "https")
    checker.fail(field + ".scheme", concat(config::quoted(redirect.scheme), " is neither \"http\" nor \"https\""));
  checker.check(field + ".host", check_one_host(redirect.host));
  if (std::optional<uint32_t> port = checker.number(field + ".port", message.has_port(), message.port(), {1, 65535}))
    redirect.port = static_cast<uint16_t>(*port);
  checker.check(field + ".path", config::check_path_prefix(redirect.path));
  checker.check(field + ".path_prefix", config::check_path_prefix(redirect.path_prefix));
  if (!redirect.path.empty() && !redirect.path_prefix.empty())
    checker.fail(field + ".path_prefix", "is set beside `path`, which takes the place of the whole path");
  bool leads_elsewhere = !redirect.scheme.empty() || !redirect.host.empty() || redirect.port ||
                         !redirect.path.empty() || !redirect.path_prefix.empty();
  if (!leads_elsewhere)
    checker.fail(field, "leads to where the request came; set scheme, host, port, path or path_prefix");
  return redirect;
}

config::FixedResponse decode_response(FieldChecker& checker, const v1::FixedResponse& message,
                                      const std::string& field) {
  config::FixedResponse response{.status = 0, .content_type = message.content_type(), .body = message.body()};
  if (std::optional<uint32_t> status = checker.number(field + ".status", true, message.status(), {200, 599}))
    response.status = static_cast<uint16_t>(*status);
  checker.check(field + ".content_type", check_content_type(response.content_type));
  if (response.body.size() > config::kFixedBodyMax) {
    checker.fail(field + ".body",
                 concat("has ", response.body.size(), " bytes, at most ", config::kFixedBodyMax, " are allowed"));
  }
  if (!response.body.empty() && (response.status == 204 || response.status == 205 || response.status == 304))
    checker.fail(field + ".body", concat("is set; a response with status ", response.status, " has none"));
  return response;
}

void check_who_answers(FieldChecker& checker, const v1::Route& route, const std::string& field) {
  if (route.has_redirect() && route.has_respond())
    checker.fail(field + ".respond", "is set beside `redirect`; a route has one answer");
  const bool answers = route.has_redirect() || route.has_respond();
  if (answers && !route.backend().empty())
    checker.fail(field + ".backend", "is set, and the route answers itself: no request would get there");
  if (answers && route.has_rewrite()) checker.fail(field + ".rewrite", "is set, and the route answers itself");
  if (answers && route.has_request_headers())
    checker.fail(field + ".request_headers", "is set, and the route answers itself");
}

void encode_fields(const std::vector<config::HeaderField>& fields,
                   google::protobuf::RepeatedPtrField<v1::HeaderField>& out) {
  for (const config::HeaderField& field : fields) {
    v1::HeaderField& encoded = *out.Add();
    encoded.set_name(field.name);
    encoded.set_value(field.value);
  }
}

void encode_headers(const HeaderActions& actions, v1::HeaderActions& out) {
  out.mutable_remove()->Add(actions.remove.begin(), actions.remove.end());
  encode_fields(actions.set, *out.mutable_set());
  encode_fields(actions.add, *out.mutable_add());
}

}  // namespace

base::Ref<const config::RouteActions> decode_route_actions(FieldChecker& checker, const v1::Route& route,
                                                           const std::string& field) {
  check_who_answers(checker, route, field);
  auto actions = base::make_ref<config::RouteActions>();
  if (route.has_redirect()) actions->redirect = decode_redirect(checker, route.redirect(), field + ".redirect");
  if (route.has_respond()) actions->respond = decode_response(checker, route.respond(), field + ".respond");
  actions->rewrite = {.path_prefix = route.rewrite().path_prefix(), .host = route.rewrite().host()};
  checker.check(field + ".rewrite.path_prefix", config::check_path_prefix(actions->rewrite.path_prefix));
  if (!actions->rewrite.host.empty())
    checker.check(field + ".rewrite.host", config::check_host_field(actions->rewrite.host));
  actions->request_headers = decode_headers(checker, route.request_headers(), field + ".request_headers");
  actions->response_headers = decode_headers(checker, route.response_headers(), field + ".response_headers");
  if (actions->same_as(config::RouteActions())) return nullptr;
  actions->compile(route.path_prefix());
  return actions;
}

void encode(const config::RouteActions& actions, v1::Route& out) {
  if (const std::optional<config::Redirect>& redirect = actions.redirect) {
    v1::Redirect& encoded = *out.mutable_redirect();
    if (redirect->status) encoded.set_status(*redirect->status);
    encoded.set_scheme(redirect->scheme);
    encoded.set_host(redirect->host);
    if (redirect->port) encoded.set_port(*redirect->port);
    encoded.set_path(redirect->path);
    encoded.set_path_prefix(redirect->path_prefix);
    encoded.set_drop_query(redirect->drop_query);
  }
  if (const std::optional<config::FixedResponse>& response = actions.respond) {
    out.mutable_respond()->set_status(response->status);
    out.mutable_respond()->set_content_type(response->content_type);
    out.mutable_respond()->set_body(response->body);
  }
  if (actions.rewrite != config::Rewrite()) {
    out.mutable_rewrite()->set_path_prefix(actions.rewrite.path_prefix);
    out.mutable_rewrite()->set_host(actions.rewrite.host);
  }
  if (!actions.request_headers.empty()) encode_headers(actions.request_headers, *out.mutable_request_headers());
  if (!actions.response_headers.empty()) encode_headers(actions.response_headers, *out.mutable_response_headers());
}

}  // namespace fairlead::api
