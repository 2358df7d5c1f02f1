#include "api/server_extras.h"

#include "api/health_check.h"
#include "config/validate.h"

namespace fairlead::api {

base::Ref<const config::ServerExtras> decode_extras(FieldChecker& checker, const v1::Server& server) {
  if (!server.has_health_check() && !server.has_min_connections()) return nullptr;
  auto extras = base::make_ref<config::ServerExtras>();
  decode_server_check(checker, server, *extras);
  extras->min_connections = checker.number("min_connections", server.has_min_connections(), server.min_connections(),
                                           {0, config::kMaxConnectionsMax});
  if (!extras->says_how_to_check() && !extras->min_connections) return nullptr;
  return base::Ref<const config::ServerExtras>(extras);
}

void encode(const config::ServerExtras& extras, v1::Server& out) {
  if (extras.says_how_to_check()) encode(extras, *out.mutable_health_check());
  if (extras.min_connections) out.set_min_connections(*extras.min_connections);
}

}  // namespace fairlead::api
