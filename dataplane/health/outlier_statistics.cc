#include "health/outlier_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/container/flat_hash_set.h"
#include "config/text.h"

namespace fairlead::health {
namespace {

using config::concat;

double success_rate(const Outcomes& server) {
  return 1 - static_cast<double>(server.failures) / static_cast<double>(server.requests);
}

// "98.40%"
std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.2f%%", std::clamp(share, 0.0, 1.0) * 100);
  return text;
}

// Those with enough requests, the worst first; nobody where they are too few.
std::vector<Outcomes> candidates(const std::vector<Outcomes>& all, uint32_t min_requests, uint32_t min_servers) {
  std::vector<Outcomes> result;
  std::ranges::copy_if(all, std::back_inserter(result),
                       [&](const Outcomes& server) { return server.requests >= min_requests; });
  if (result.size() < min_servers) return {};
  std::ranges::sort(result, {}, [](const Outcomes& server) { return std::pair(success_rate(server), server.server); });
  return result;
}

struct Found {
  std::vector<Outlier> outliers;
  absl::flat_hash_set<config::Uid> known;

  void add(const Outcomes& server, std::string reason) {
    if (known.insert(server.server).second) outliers.push_back({server.slot, server.server, std::move(reason)});
  }
};

void find(Found& found, const std::vector<Outcomes>& all, const config::FailurePercentage& settings) {
  uint32_t threshold = settings.effective_threshold();
  for (const Outcomes& server : candidates(all, settings.effective_min_requests(), settings.effective_min_servers())) {
    if (server.failures * 100 < server.requests * threshold) break;
    found.add(server, concat(server.failures, " of ", server.requests, " requests failed, threshold ", threshold, "%"));
  }
}

void find(Found& found, const std::vector<Outcomes>& all, const config::SuccessRate& settings) {
  std::vector<Outcomes> some = candidates(all, settings.effective_min_requests(), settings.effective_min_servers());
  if (some.empty()) return;
  auto count = static_cast<double>(some.size());
  double mean = 0;
  for (const Outcomes& server : some) mean += success_rate(server) / count;
  double variance = 0;
  for (const Outcomes& server : some) variance += std::pow(success_rate(server) - mean, 2) / count;
  double lowest = mean - std::sqrt(variance) * settings.effective_deviation_percent() / 100;
  for (const Outcomes& server : some) {
    if (success_rate(server) >= lowest) break;
    found.add(server, concat("successes ", percent(success_rate(server)), ", mean ", percent(mean), ", lowest ",
                             percent(lowest)));
  }
}

}  // namespace

std::vector<Outlier> find_outliers(const std::vector<Outcomes>& all, const config::OutlierDetection& settings) {
  Found found;
  if (settings.failure_percentage) find(found, all, *settings.failure_percentage);
  if (settings.success_rate) find(found, all, *settings.success_rate);
  return std::move(found.outliers);
}

}  // namespace fairlead::health
