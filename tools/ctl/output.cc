#include "ctl/output.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "api/yaml_text.h"
#include "google/protobuf/util/json_util.h"

namespace fairlead::ctl {
namespace {

template <typename Enum>
std::string word(Enum value) {
  const auto* found = google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(value);
  if (found == nullptr) return absl::StrCat(static_cast<int>(value));
  return absl::AsciiStrToLower(api::short_enum_name(*found));
}

std::string dash_if_empty(const std::string& text) { return text.empty() ? "-" : text; }

std::string route_text(const v1::Listener& listener) {
  std::vector<std::string> texts;
  for (const v1::Route& route : listener.routes()) {
    const std::string priority = route.has_priority() ? absl::StrCat("@", route.priority()) : "";
    const std::string answer = route.has_redirect()  ? "(redirect)"
                               : route.has_respond() ? "(response)"
                                                     : route.backend();
    texts.push_back(absl::StrCat(absl::StrJoin(route.hosts(), ","), route.path_prefix(), "=", answer, priority));
  }
  constexpr std::size_t kShownMax = 4;
  const std::size_t more = texts.size() > kShownMax ? texts.size() - kShownMax : 0;
  texts.resize(texts.size() - more);
  if (more > 0) texts.push_back(absl::StrCat("and ", more, " more"));
  return absl::StrJoin(texts, " ");
}

}  // namespace

Result<Format> parse_format(const std::string& text) {
  if (text == "table") return Format::kTable;
  if (text == "json") return Format::kJson;
  if (text == "yaml") return Format::kYaml;
  return usage_error(absl::StrCat("--output: \"", text, "\" is not one of table, json, yaml"));
}

std::string to_json(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = !one_line;
  std::string text;
  // Fails only for messages that this schema does not have.
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return "{}";
  return std::string(absl::StripTrailingAsciiWhitespace(text));
}

std::string server_title(const v1::Server& server) { return absl::StrCat(server.backend(), "/", server.name()); }

std::string lifecycle_word(v1::Lifecycle lifecycle) {
  return lifecycle == v1::LIFECYCLE_UNSPECIFIED ? "-" : word(lifecycle);
}

Colour lifecycle_colour(v1::Lifecycle lifecycle) {
  switch (lifecycle) {
    case v1::LIFECYCLE_READY:
      return Colour::kGreen;
    case v1::LIFECYCLE_PENDING:
    case v1::LIFECYCLE_DRAINING:
    case v1::LIFECYCLE_DRAINED:
      return Colour::kYellow;
    case v1::LIFECYCLE_MAINTENANCE:
    case v1::LIFECYCLE_REMOVED:
      return Colour::kRed;
    default:
      return Colour::kNone;
  }
}

std::string health_word(v1::Health health) { return health == v1::HEALTH_UNSPECIFIED ? "-" : word(health); }

Colour health_colour(v1::Health health) {
  if (health == v1::HEALTH_UP) return Colour::kGreen;
  return health == v1::HEALTH_DOWN ? Colour::kRed : Colour::kDim;
}

std::string labels_text(const google::protobuf::Map<std::string, std::string>& labels) {
  const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
  return absl::StrJoin(sorted, ",", absl::PairFormatter("="));
}

Table server_table(const std::vector<v1::Server>& servers) {
  Table table({{"SERVER"},
               {"ADDRESS"},
               {"STATE"},
               {"HEALTH"},
               {"WEIGHT", true},
               {"IN FLIGHT", true},
               {"QUEUED", true},
               {"LABELS"}});
  for (const v1::Server& server : servers) {
    const v1::ServerStatus& status = server.status();
    std::string health = health_word(status.health());
    const v1::AdminState wish = status.agent().wish();
    if (status.health() == v1::HEALTH_DOWN) {
      absl::StrAppend(&health, " (", status.health_reason(), ")");
    } else if (wish == v1::ADMIN_STATE_DRAIN || wish == v1::ADMIN_STATE_MAINTENANCE) {
      absl::StrAppend(&health, " (agent: ", status.agent().said(), ")");
    }
    table.add(
        {{server_title(server)},
         {status.resolved_address().empty() ? server.address()
                                            : absl::StrCat(server.address(), " (", status.resolved_address(), ")")},
         {lifecycle_word(status.lifecycle()), lifecycle_colour(status.lifecycle())},
         {status.ejected() ? absl::StrCat("ejected (", status.ejection().reason(), ")") : health,
          status.ejected() ? Colour::kRed : health_colour(status.health())},
         {absl::StrCat(status.effective_weight())},
         {absl::StrCat(status.in_flight())},
         {absl::StrCat(status.queued())},
         {labels_text(server.labels())}});
  }
  return table;
}

Table backend_table(const std::vector<v1::Backend>& backends) {
  Table table({{"BACKEND"},
               {"BALANCE"},
               {"SERVERS", true},
               {"ELIGIBLE", true},
               {"DRAINING", true},
               {"IN FLIGHT", true},
               {"LABELS"}});
  for (const v1::Backend& backend : backends) {
    const v1::BackendStatus& status = backend.status();
    const bool unset = backend.balance().algorithm() == v1::ALGORITHM_UNSPECIFIED;
    const Colour eligible = status.eligible() > 0 ? Colour::kGreen : Colour::kRed;
    table.add({{backend.name()},
               {unset ? "round_robin" : word(backend.balance().algorithm())},
               {absl::StrCat(status.servers())},
               {absl::StrCat(status.eligible()), eligible},
               {absl::StrCat(status.draining())},
               {absl::StrCat(status.in_flight())},
               {labels_text(backend.labels())}});
  }
  return table;
}

Table listener_table(const std::vector<v1::Listener>& listeners) {
  Table table(
      {{"LISTENER"}, {"PROTOCOL"}, {"BOUND"}, {"DEFAULT BACKEND"}, {"CONNECTIONS", true}, {"ROUTES"}, {"LABELS"}});
  for (const v1::Listener& listener : listeners) {
    const auto& addresses = listener.status().bound_size() > 0 ? listener.status().bound() : listener.bind();
    table.add({{listener.name()},
               {word(listener.protocol())},
               {absl::StrJoin(addresses, " ")},
               {dash_if_empty(listener.default_backend())},
               {absl::StrCat(listener.status().connections())},
               {dash_if_empty(route_text(listener))},
               {labels_text(listener.labels())}});
  }
  return table;
}

Table certificate_table(const std::vector<v1::Certificate>& certificates, absl::Time now) {
  constexpr absl::Duration kSoon = absl::Hours(24 * 14);
  Table table({{"CERTIFICATE"}, {"NAMES"}, {"KEY"}, {"EXPIRES"}, {"LEFT", true}, {"LISTENERS"}, {"LABELS"}});
  for (const v1::Certificate& certificate : certificates) {
    const v1::CertificateStatus& status = certificate.status();
    const absl::Time end = absl::FromUnixSeconds(status.not_after().seconds());
    const absl::Duration left = end - now;
    const Colour colour = left <= absl::ZeroDuration() ? Colour::kRed : left < kSoon ? Colour::kYellow : Colour::kNone;
    table.add({{certificate.name()},
               {dash_if_empty(absl::StrJoin(status.names(), " "))},
               {status.key_type()},
               {absl::FormatTime("%Y-%m-%d", end, absl::UTCTimeZone())},
               {left <= absl::ZeroDuration() ? "expired" : absl::StrCat(left / absl::Hours(24), " d"), colour},
               {dash_if_empty(absl::StrJoin(status.listeners(), " "))},
               {labels_text(certificate.labels())}});
  }
  return table;
}

}  // namespace fairlead::ctl
