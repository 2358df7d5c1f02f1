#include "scaling/change_limit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace fairlead::scaling {
namespace {

absl::Status wrong(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\": ", why, "; right are \"4/15s\", \"100%/15s\", \"4,100%/15s\" and \"none\""));
}

bool parse_percent(absl::string_view text, double& percent) {
  return absl::ConsumeSuffix(&text, "%") && absl::SimpleAtod(text, &percent) && std::isfinite(percent) && percent > 0;
}

absl::Status parse_amount(absl::string_view part, absl::string_view text, ChangeLimit& limit) {
  double percent = 0;
  if (parse_percent(part, percent)) {
    if (limit.percent.has_value()) return wrong(text, "names two percentages");
    limit.percent = percent;
    return absl::OkStatus();
  }
  int servers = 0;
  if (!absl::SimpleAtoi(part, &servers) || servers <= 0) {
    return wrong(text, absl::StrCat("\"", part, "\" is neither a positive number of servers nor a percentage"));
  }
  if (limit.servers.has_value()) return wrong(text, "names two numbers of servers");
  limit.servers = servers;
  return absl::OkStatus();
}

// Rounded away from `servers`, so that a percentage always allows a step.
int grown(int servers, double percent) {
  const double most = std::ceil(servers * (1 + percent / 100) - 1e-9);
  return static_cast<int>(std::min(most, 1e9));
}

int shrunk(int servers, double percent) {
  return static_cast<int>(std::max(0.0, std::floor(servers * (1 - percent / 100) + 1e-9)));
}

bool unlimited(const ChangeLimit& limit) { return !limit.servers.has_value() && !limit.percent.has_value(); }

}  // namespace

absl::StatusOr<ChangeLimit> parse_change_limit(absl::string_view text) {
  ChangeLimit limit;
  if (text == "none") return limit;
  const std::vector<absl::string_view> halves = absl::StrSplit(text, '/');
  if (halves.size() != 2) return wrong(text, "needs an amount and a period with a slash between");
  if (!absl::ParseDuration(halves[1], &limit.period) || limit.period <= absl::ZeroDuration() ||
      limit.period > absl::Hours(24)) {
    return wrong(text, absl::StrCat("\"", halves[1], "\" is not a period above 0 and up to 24h"));
  }
  for (absl::string_view part : absl::StrSplit(halves[0], ',')) {
    if (absl::Status status = parse_amount(part, text, limit); !status.ok()) return status;
  }
  return limit;
}

std::string format_change_limit(const ChangeLimit& limit) {
  if (unlimited(limit)) return "none";
  std::string text;
  if (limit.servers.has_value()) absl::StrAppend(&text, *limit.servers);
  if (limit.percent.has_value()) absl::StrAppend(&text, text.empty() ? "" : ",", *limit.percent, "%");
  return absl::StrCat(text, "/", absl::FormatDuration(limit.period));
}

int most_allowed(const ChangeLimit& limit, int servers, int recent) {
  if (unlimited(limit)) return std::numeric_limits<int>::max();
  const int before = std::max(0, servers - recent);
  int most = servers;
  if (limit.servers.has_value()) most = std::max(most, before + *limit.servers);
  if (limit.percent.has_value()) most = std::max(most, grown(before, *limit.percent));
  return most;
}

int least_allowed(const ChangeLimit& limit, int servers, int recent) {
  if (unlimited(limit)) return 0;
  const int before = servers + recent;
  int least = servers;
  if (limit.servers.has_value()) least = std::min(least, before - *limit.servers);
  if (limit.percent.has_value()) least = std::min(least, shrunk(before, *limit.percent));
  return std::max(0, least);
}

void ChangeHistory::add(absl::Time now, int servers) {
  entries_.push_back({now, servers});
  sum_ += servers;
}

int ChangeHistory::recent(absl::Time now) {
  while (!entries_.empty() && entries_.front().time + period_ <= now) {
    sum_ -= entries_.front().servers;
    entries_.pop_front();
  }
  return sum_;
}

}  // namespace fairlead::scaling
