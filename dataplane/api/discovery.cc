#include "api/discovery.h"

#include "config/text.h"

namespace fairlead::api {

std::optional<config::Discovery> decode_discovery(FieldChecker& checker, const v1::Discovery& message) {
  if (message.srv().empty() && !message.has_max_servers()) return std::nullopt;
  config::Discovery discovery;
  discovery.max_servers = checker.number("discovery.max_servers", message.has_max_servers(), message.max_servers(),
                                         {1, config::kDiscoveredMax});
  if (message.srv().empty()) {
    checker.fail("discovery.srv", "is not set; a discovery needs a name, such as _http._tcp.app.internal");
    return discovery;
  }
  discovery.srv = message.srv();
  checker.check("discovery.srv", config::check_service_name(discovery.srv));
  return discovery;
}

void encode(const config::Discovery& discovery, v1::Discovery& out) {
  out.set_srv(discovery.srv);
  if (discovery.max_servers) out.set_max_servers(*discovery.max_servers);
}

}  // namespace fairlead::api
