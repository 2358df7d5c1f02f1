#include "ctl/top_model.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace fairlead::ctl {
namespace {

double seconds_between(const google::protobuf::Timestamp& start, const google::protobuf::Timestamp& end) {
  const double seconds = static_cast<double>(end.seconds() - start.seconds()) + (end.nanos() - start.nanos()) / 1e9;
  return seconds > 0 ? seconds : 1;
}

void remember(std::deque<double>& history, double rate) {
  history.push_back(rate);
  if (history.size() > TopModel::kHistory) history.pop_front();
}

double sort_value(const TopServer& server, TopSort sort) {
  switch (sort) {
    case TopSort::kName:
      return 0;
    case TopSort::kRate:
      return server.numbers.rate;
    case TopSort::kInFlight:
      return static_cast<double>(server.numbers.in_flight);
    case TopSort::kLatency:
      return static_cast<double>(server.numbers.p99_us);
    case TopSort::kErrors:
      return server.numbers.failures + server.numbers.server_errors;
  }
  return 0;
}

// "s2" before "s10".
bool name_less(const std::string& a, const std::string& b) {
  const auto stem = [](const std::string& name) { return name.find_last_not_of("0123456789") + 1; };
  const std::size_t stem_a = stem(a);
  const std::size_t stem_b = stem(b);
  if (a.compare(0, stem_a, b, 0, stem_b) == 0 && a.size() != b.size()) return a.size() < b.size();
  return a < b;
}

}  // namespace

std::uint64_t quantile_us(const v1::Histogram& histogram, double share) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> buckets;
  std::uint64_t total = 0;
  for (const v1::Bucket& bucket : histogram.buckets()) {
    buckets.emplace_back(bucket.upper_us(), bucket.count());
    total += bucket.count();
  }
  if (total == 0) return 0;
  std::ranges::sort(buckets);
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (const auto& [upper, count] : buckets) {
    seen += count;
    if (seen >= wanted) return upper;
  }
  return buckets.back().first;
}

TopNumbers numbers_of(const v1::Counters& counters, double seconds) {
  TopNumbers numbers;
  // What ended, in whatever way: a request that still runs is seen in flight.
  const std::uint64_t failures = counters.failed_connect() + counters.failed_timeout() + counters.failed_response() +
                                 counters.failed_no_server() + counters.failed_full();
  const std::uint64_t server_errors = counters.statuses_size() > 4 ? counters.statuses(4) : 0;
  numbers.rate = static_cast<double>(counters.finished() + failures + counters.failed_client()) / seconds;
  numbers.failures = static_cast<double>(failures) / seconds;
  numbers.server_errors = static_cast<double>(server_errors) / seconds;
  numbers.bytes = static_cast<double>(counters.bytes_to_clients() + counters.bytes_from_clients()) / seconds;
  numbers.in_flight = counters.in_flight();
  numbers.queued = counters.queued();
  numbers.p50_us = quantile_us(counters.latency(), 0.50);
  numbers.p99_us = quantile_us(counters.latency(), 0.99);
  return numbers;
}

void TopModel::update(const v1::StreamStatisticsResponse& sample) {
  const double seconds = seconds_between(sample.start(), sample.end());
  v1::Counters sum;
  std::map<std::string, std::deque<double>> histories;
  backends_.clear();
  for (const v1::BackendStatistics& statistics : sample.backends()) {
    backends_.push_back(backend_of(statistics, seconds));
    histories[statistics.backend()] = backends_.back().history;
    const TopNumbers& numbers = backends_.back().numbers;
    sum.mutable_latency()->MergeFrom(statistics.counters().latency());
    sum.set_in_flight(sum.in_flight() + numbers.in_flight);
    sum.set_queued(sum.queued() + numbers.queued);
  }
  total_ = numbers_of(sum, seconds);
  for (const TopBackend& backend : backends_) {
    total_.rate += backend.numbers.rate;
    total_.failures += backend.numbers.failures;
    total_.server_errors += backend.numbers.server_errors;
    total_.bytes += backend.numbers.bytes;
  }
  histories_ = std::move(histories);
  remember(history_, total_.rate);
  listeners_.clear();
  for (const v1::ListenerStatistics& listener : sample.listeners()) {
    listeners_.push_back({listener.listener(), listener.connections(),
                          static_cast<double>(listener.connections_accepted()) / seconds,
                          static_cast<double>(listener.connections_refused()) / seconds});
  }
  std::ranges::sort(backends_, name_less, &TopBackend::name);
  version_ = sample.version();
  ++samples_;
}

void TopModel::update_servers(const v1::ListServersResponse& servers) {
  details_.clear();
  for (const v1::Server& server : servers.servers()) details_[server.backend()][server.name()] = server;
  for (TopBackend& backend : backends_) complete(backend);
}

TopBackend TopModel::backend_of(const v1::BackendStatistics& statistics, double seconds) {
  TopBackend backend{.name = statistics.backend(),
                     .eligible = statistics.eligible_servers(),
                     .numbers = numbers_of(statistics.counters(), seconds),
                     .servers = {},
                     .history = histories_[statistics.backend()]};
  remember(backend.history, backend.numbers.rate);
  for (const v1::ServerStatistics& server : statistics.servers()) {
    backend.servers.push_back({.name = server.name(),
                               .address = {},
                               .lifecycle = server.lifecycle(),
                               .health = {},
                               .ejected = false,
                               .weight = 0,
                               .numbers = numbers_of(server.counters(), seconds)});
  }
  complete(backend);
  return backend;
}

void TopModel::complete(TopBackend& backend) const {
  std::erase_if(backend.servers, &TopServer::unused);
  const auto found = details_.find(backend.name);
  if (found == details_.end()) return;
  std::set<std::string> seen;
  for (TopServer& server : backend.servers) {
    seen.insert(server.name);
    const auto details = found->second.find(server.name);
    if (details == found->second.end()) continue;
    server.address = details->second.address();
    server.weight = details->second.status().effective_weight();
    server.health = details->second.status().health();
    server.ejected = details->second.status().ejected();
    if (server.lifecycle == v1::LIFECYCLE_UNSPECIFIED) server.lifecycle = details->second.status().lifecycle();
  }
  for (const auto& [name, details] : found->second) {
    if (seen.contains(name)) continue;
    backend.servers.push_back({.name = name,
                               .address = details.address(),
                               .lifecycle = details.status().lifecycle(),
                               .health = details.status().health(),
                               .ejected = details.status().ejected(),
                               .weight = details.status().effective_weight(),
                               .numbers = {},
                               .unused = true});
  }
}

void sort_servers(std::vector<TopServer>& servers, TopSort sort) {
  std::ranges::sort(servers, [sort](const TopServer& a, const TopServer& b) {
    const double left = sort_value(a, sort);
    const double right = sort_value(b, sort);
    return left != right ? left > right : name_less(a.name, b.name);
  });
}

}  // namespace fairlead::ctl
