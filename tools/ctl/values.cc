#include "ctl/values.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "api/yaml_text.h"

namespace fairlead::ctl {

Result<v1::ServerName> parse_server_name(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
    return usage_error(absl::StrCat("\"", text, "\" is not a server's name such as \"web/s1\": BACKEND/NAME"));
  }
  v1::ServerName name;
  name.set_backend(text.substr(0, slash));
  name.set_name(text.substr(slash + 1));
  return name;
}

Result<v1::ElectionId> parse_election_id(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string high = colon == std::string::npos ? "0" : text.substr(0, colon);
  const std::string low = colon == std::string::npos ? text : text.substr(colon + 1);
  std::uint64_t numbers[2];
  const bool valid = absl::SimpleAtoi(high, &numbers[0]) && absl::SimpleAtoi(low, &numbers[1]);
  if (!valid || (numbers[0] == 0 && numbers[1] == 0)) {
    return usage_error(absl::StrCat("--election-id: \"", text, "\" is not an election id such as \"7\" or \"1:7\""));
  }
  v1::ElectionId id;
  id.set_high(numbers[0]);
  id.set_low(numbers[1]);
  return id;
}

Result<google::protobuf::Duration> parse_duration_value(const std::string& option, const std::string& text) {
  const auto duration = api::parse_duration(text);
  if (!duration || duration->seconds() < 0 || duration->nanos() < 0) {
    return usage_error(absl::StrCat(option, ": \"", text, "\" is not a duration such as \"30s\", \"500ms\" or \"1m\""));
  }
  return *duration;
}

std::chrono::nanoseconds to_chrono(const google::protobuf::Duration& duration) {
  // Ten thousand years do not fit; a century is as good as for ever.
  constexpr std::int64_t kSecondsMax = 100LL * 365 * 24 * 3600;
  return std::chrono::seconds(std::min(duration.seconds(), kSecondsMax)) + std::chrono::nanoseconds(duration.nanos());
}

Result<std::map<std::string, std::string>> parse_labels(const std::string& option,
                                                        const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return usage_error(absl::StrCat(option, ": \"", text, "\" is not of the form key=value"));
    }
    const std::string key = text.substr(0, equals);
    if (!labels.emplace(key, text.substr(equals + 1)).second) {
      return usage_error(absl::StrCat(option, ": the key \"", key, "\" is given twice"));
    }
  }
  return labels;
}

namespace {

// "rate:100", "rate:100/1m", "burst:20".
Result<void> set_route_limit(const std::string& text, v1::RateLimit& limit) {
  const auto refused = [&] {
    return usage_error(absl::StrCat("--route: \"", text, "\" is not rate:N, rate:N/TIME or burst:N"));
  };
  const std::pair<std::string, std::string> setting = absl::StrSplit(text, absl::MaxSplits(':', 1));
  std::uint32_t number = 0;
  if (setting.first == "burst") {
    if (!absl::SimpleAtoi(setting.second, &number)) return refused();
    limit.set_burst(number);
    return {};
  }
  const std::vector<std::string> rate = absl::StrSplit(setting.second, absl::MaxSplits('/', 1));
  if (setting.first != "rate" || !absl::SimpleAtoi(rate.front(), &number)) return refused();
  limit.set_requests(number);
  if (rate.size() == 1) return {};
  Result<google::protobuf::Duration> per = parse_duration_value("--route", rate.back());
  if (!per) return std::unexpected(per.error());
  *limit.mutable_per() = *per;
  return {};
}

}  // namespace

Result<v1::Route> parse_route(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return usage_error(absl::StrCat("--route: \"", text, "\" is not of the form HOST/PATH=BACKEND"));
  }
  const std::string match = text.substr(0, equals);
  const std::size_t slash = match.find('/');
  v1::Route route;
  for (absl::string_view host : absl::StrSplit(match.substr(0, slash), ',', absl::SkipEmpty())) {
    route.add_hosts(std::string(host));
  }
  if (slash != std::string::npos) route.set_path_prefix(match.substr(slash));
  const std::vector<std::string> settings = absl::StrSplit(text.substr(equals + 1), ',');
  const std::vector<std::string> target = absl::StrSplit(settings.front(), absl::MaxSplits('@', 1));
  route.set_backend(target.front());
  if (target.size() > 1) {
    std::uint32_t priority = 0;
    if (!absl::SimpleAtoi(target.back(), &priority)) {
      return usage_error(absl::StrCat("--route: \"", target.back(), "\" is not a priority from 0 to 7"));
    }
    route.set_priority(priority);
  }
  for (std::size_t i = 1; i < settings.size(); ++i) {
    if (Result<void> set = set_route_limit(settings[i], *route.mutable_rate_limit()); !set)
      return std::unexpected(set.error());
  }
  return route;
}

Result<std::vector<v1::Lifecycle>> parse_lifecycles(const std::string& text) {
  std::vector<v1::Lifecycle> lifecycles;
  for (absl::string_view word : absl::StrSplit(text, ',')) {
    v1::Lifecycle lifecycle = v1::LIFECYCLE_UNSPECIFIED;
    const std::string name = absl::StrCat("LIFECYCLE_", absl::AsciiStrToUpper(word));
    if (!v1::Lifecycle_Parse(name, &lifecycle) || lifecycle == v1::LIFECYCLE_UNSPECIFIED) {
      return usage_error(absl::StrCat("--state: \"", word,
                                      "\" is not one of pending, ready, draining, drained, maintenance, removed"));
    }
    lifecycles.push_back(lifecycle);
  }
  return lifecycles;
}

Result<v1::StatusRange> parse_status_range(const std::string& option, const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits('-', 1));
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  if (!absl::SimpleAtoi(parts.front(), &first) || !absl::SimpleAtoi(parts.back(), &last)) {
    return usage_error(absl::StrCat(option, ": \"", text, "\" is not a status or a range as 200-299"));
  }
  v1::StatusRange range;
  range.set_first(first);
  range.set_last(last);
  return range;
}

Result<v1::HealthCheck> parse_check(const std::string& text) {
  v1::HealthCheck check;
  if (text == "tcp") {
    check.mutable_tcp();
  } else if (text.starts_with("http:/")) {
    check.mutable_http()->set_path(text.substr(5));
  } else if (text == "grpc" || text.starts_with("grpc:")) {
    check.mutable_grpc()->set_service(text.substr(std::min<std::size_t>(text.size(), 5)));
  } else if (text != "none") {
    return usage_error(
        absl::StrCat("--check: \"", text, "\" is not \"http:/path\", \"tcp\", \"grpc\", \"grpc:service\" or \"none\""));
  }
  return check;
}

}  // namespace fairlead::ctl
