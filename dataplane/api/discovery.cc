#include "api/discovery.h"

#include <set>

#include "config/text.h"

namespace fairlead::api {

namespace {

constexpr int kAlsoMax = 15;

void decode_also(FieldChecker& checker, const v1::Discovery& message, config::Discovery& discovery) {
  if (message.also_size() > kAlsoMax) {
    checker.fail("discovery.also", config::concat("has ", message.also_size(), " names, at most ", kAlsoMax));
    return;
  }
  std::set<std::string> named{config::service_question(discovery.srv)};
  for (int i = 0; i < message.also_size() && checker.ok(); ++i) {
    const std::string& name = message.also(i);
    std::string field = config::concat("discovery.also[", i, "]");
    checker.check(field, config::check_service_name(name));
    if (!named.insert(config::service_question(name)).second) {
      checker.fail(field, config::concat(config::quoted(name), " is named before"));
    }
    discovery.also.push_back(name);
  }
}

}  // namespace

std::optional<config::Discovery> decode_discovery(FieldChecker& checker, const v1::Discovery& message) {
  if (message.srv().empty() && message.also().empty() && !message.has_max_servers()) return std::nullopt;
  config::Discovery discovery;
  discovery.max_servers = checker.number("discovery.max_servers", message.has_max_servers(), message.max_servers(),
                                         {1, config::kDiscoveredMax});
  if (message.srv().empty()) {
    checker.fail("discovery.srv", "is not set; a discovery needs a name, such as _http._tcp.app.internal");
    return discovery;
  }
  discovery.srv = message.srv();
  checker.check("discovery.srv", config::check_service_name(discovery.srv));
  decode_also(checker, message, discovery);
  return discovery;
}

void encode(const config::Discovery& discovery, v1::Discovery& out) {
  out.set_srv(discovery.srv);
  out.mutable_also()->Add(discovery.also.begin(), discovery.also.end());
  if (discovery.max_servers) out.set_max_servers(*discovery.max_servers);
}

}  // namespace fairlead::api
