#include "server/resolver_settings.h"

#include <algorithm>

#include "config/text.h"

namespace fairlead::server {
namespace {

using config::concat;
using config::Duration;

constexpr int kNameserversMax = 8;
constexpr api::DurationRange kTimeout{std::chrono::milliseconds(10), std::chrono::minutes(1)};
constexpr api::DurationRange kMinInterval{std::chrono::milliseconds(10), std::chrono::hours(1)};
constexpr Duration kMaxIntervalMax = std::chrono::hours(24);
constexpr api::DurationRange kHold{Duration::zero(), std::chrono::hours(24 * 30)};

void decode_nameservers(api::FieldChecker& checker, const v1::Resolver& message, names::Settings& settings) {
  if (message.nameservers_size() > kNameserversMax) {
    checker.fail("resolver.nameservers",
                 concat("has ", message.nameservers_size(), " entries, at most ", kNameserversMax, " are allowed"));
    return;
  }
  for (int i = 0; i < message.nameservers_size(); ++i) {
    std::string field = concat("resolver.nameservers[", i, "]");
    std::optional<config::Endpoint> address = checker.endpoint(field, message.nameservers(i));
    if (!address) return;
    if (address->is_unix() || !address->is_destination()) {
      checker.fail(field, config::quoted(message.nameservers(i)) + " is not where a nameserver can be");
    }
    settings.nameservers.push_back(address->to_string());
  }
}

names::Family decode_family(api::FieldChecker& checker, v1::AddressFamily family) {
  switch (family) {
    case v1::ADDRESS_FAMILY_UNSPECIFIED:
    case v1::ADDRESS_FAMILY_IPV4:
      return names::Family::kIp4;
    case v1::ADDRESS_FAMILY_IPV6:
      return names::Family::kIp6;
    case v1::ADDRESS_FAMILY_IPV4_ONLY:
      return names::Family::kIp4Only;
    case v1::ADDRESS_FAMILY_IPV6_ONLY:
      return names::Family::kIp6Only;
    default:
      checker.unknown_enum("resolver.family", family, "IPV4, IPV6, IPV4_ONLY, IPV6_ONLY");
      return names::Family::kIp4;
  }
}

}  // namespace

names::Settings decode_resolver(api::FieldChecker& checker, const v1::Resolver& message) {
  names::Settings settings;
  auto read = [&](const char* field, bool set, const google::protobuf::Duration& value, api::DurationRange range,
                  Duration& out) { out = checker.duration(field, set, value, range).value_or(out); };
  decode_nameservers(checker, message, settings);
  read("resolver.timeout", message.has_timeout(), message.timeout(), kTimeout, settings.timeout);
  settings.tries =
      checker.number("resolver.tries", message.has_tries(), message.tries(), {1, 10}).value_or(settings.tries);
  read("resolver.min_interval", message.has_min_interval(), message.min_interval(), kMinInterval,
       settings.min_interval);
  settings.max_interval = std::max(settings.max_interval, settings.min_interval);
  read("resolver.max_interval", message.has_max_interval(), message.max_interval(),
       {settings.min_interval, kMaxIntervalMax}, settings.max_interval);
  const v1::Hold& hold = message.hold();
  read("resolver.hold.no_name", hold.has_no_name(), hold.no_name(), kHold, settings.hold_no_name);
  read("resolver.hold.refused", hold.has_refused(), hold.refused(), kHold, settings.hold_refused);
  read("resolver.hold.timeout", hold.has_timeout(), hold.timeout(), kHold, settings.hold_timeout);
  read("resolver.hold.other", hold.has_other(), hold.other(), kHold, settings.hold_other);
  read("resolver.hold.obsolete", hold.has_obsolete(), hold.obsolete(), kHold, settings.hold_obsolete);
  settings.family = decode_family(checker, message.family());
  settings.max_under_way =
      checker.number("resolver.max_under_way", message.has_max_under_way(), message.max_under_way(), {1, 1000})
          .value_or(settings.max_under_way);
  return settings;
}

}  // namespace fairlead::server
