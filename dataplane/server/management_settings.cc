#include "server/management_settings.h"

#include <algorithm>

#include "config/text.h"
#include "management/management_server.h"

namespace fairlead::server {
namespace {

using config::concat;

constexpr int kRolesMax = 10'000;
constexpr api::DurationRange kCheckInterval{std::chrono::milliseconds(100), std::chrono::hours(1)};
constexpr api::DurationRange kHandshakeTimeout{std::chrono::milliseconds(10), std::chrono::minutes(1)};

management::OnTcp on_tcp(const v1::Management& message) {
  if (message.has_tls()) return management::OnTcp::kTls;
  return message.insecure() ? management::OnTcp::kClearText : management::OnTcp::kNothing;
}

void decode_listen(api::FieldChecker& checker, const v1::Management& message, Settings& settings) {
  if (message.listen_size() > 0) settings.management_listen.clear();
  for (const std::string& text : message.listen()) {
    std::string field = concat("management.listen[", settings.management_listen.size(), "]");
    config::Problem problem = management::check_listen(text, on_tcp(message));
    checker.check(field, problem);
    for (const std::string& before : settings.management_listen) {
      if (!problem && is_same_place(before, config::Endpoint::parse(text).value())) {
        checker.fail(field, config::quoted(text) + " is in this list already");
      }
    }
    settings.management_listen.push_back(text);
  }
}

void decode_roles(api::FieldChecker& checker, const v1::ManagementTls& message, management::RoleList& roles) {
  if (message.roles().empty()) {
    return checker.fail("management.tls.roles", "is empty; so nobody could do anything here");
  }
  if (message.roles_size() > kRolesMax) {
    return checker.fail("management.tls.roles",
                        concat("has ", message.roles_size(), " entries, at most ", kRolesMax, " are allowed"));
  }
  for (int i = 0; i < message.roles_size(); ++i) {
    const v1::RoleBinding& one = message.roles(i);
    std::string field = concat("management.tls.roles[", i, "]");
    if (one.role() == v1::ROLE_UNSPECIFIED || !v1::Role_IsValid(one.role())) {
      checker.unknown_enum(field + ".role", one.role(), "VIEWER, OPERATOR, EDITOR, ADMIN");
    } else {
      checker.check(field + ".name", roles.add(one.name(), one.role()));
    }
  }
}

void decode_tls(api::FieldChecker& checker, const v1::ManagementTls& message, management::TlsSettings& tls) {
  auto file = [&](const char* field, const std::string& path, std::string& out) {
    if (path.empty()) checker.fail(concat("management.tls.", field), "is not set; it is the path of a file in PEM");
    out = path;
  };
  file("certificate_file", message.certificate_file(), tls.certificate_file);
  file("private_key_file", message.private_key_file(), tls.private_key_file);
  file("client_ca_file", message.client_ca_file(), tls.client_ca_file);
  decode_roles(checker, message, tls.roles);
  auto read = [&](const char* field, bool set, const google::protobuf::Duration& value, api::DurationRange range,
                  config::Duration& out) { out = checker.duration(field, set, value, range).value_or(out); };
  read("management.tls.check_interval", message.has_check_interval(), message.check_interval(), kCheckInterval,
       tls.check_interval);
  read("management.tls.handshake_timeout", message.has_handshake_timeout(), message.handshake_timeout(),
       kHandshakeTimeout, tls.handshake_timeout);
}

bool is_unix(const std::string& listen) { return listen.starts_with("unix:"); }

}  // namespace

bool is_same_place(const std::string& text, const config::Endpoint& endpoint) {
  absl::StatusOr<config::Endpoint> other = config::Endpoint::parse(text);
  return other.ok() && (endpoint.is_unix() || endpoint.port() != 0) && config::overlap(*other, endpoint);
}

void decode_management(api::FieldChecker& checker, const v1::Management& message, Settings& settings) {
  settings.management_insecure = message.insecure();
  decode_listen(checker, message, settings);
  if (!message.has_tls()) return;
  if (message.insecure()) checker.fail("management.insecure", "contradicts management.tls; leave one of them out");
  if (std::ranges::all_of(settings.management_listen, is_unix)) {
    checker.fail("management.tls", "is set, and management.listen has no address that would speak it");
  }
  decode_tls(checker, message.tls(), settings.management_tls.emplace());
}

}  // namespace fairlead::server
