#include "observe/statistics.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace fairlead::observe {

std::string_view name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kListenerFull:
      return "listener_full";
    case Refusal::kProcessFull:
      return "process_full";
    case Refusal::kClientFull:
      return "client_full";
    case Refusal::kOverload:
      return "overload";
    case Refusal::kDenied:
      return "denied";
    case Refusal::kUntrusted:
      return "untrusted";
    case Refusal::kProxyHeader:
      return "proxy_header";
  }
  return "";
}

namespace {

void add(ServerStatistics& mine, const ServerStatistics& other) { mine.counters += other.counters; }

void add(ListenerStatistics& mine, const ListenerStatistics& other) {
  mine.connections += other.connections;
  mine.accepted += other.accepted;
  mine.refused += other.refused;
  mine.rate_limited += other.rate_limited;
  mine.bad_requests += other.bad_requests;
  mine.unrouted += other.unrouted;
  mine.answered += other.answered;
  mine.too_slow += other.too_slow;
  for (size_t i = 0; i < kRefusals; ++i) mine.refusals[i] += other.refusals[i];
  mine.tls_full += other.tls_full;
  mine.tls_resumed += other.tls_resumed;
  mine.tls_failed += other.tls_failed;
}

template <typename Item>
void merge_by_uid(std::vector<Item>& mine, std::vector<Item>&& others);

void add(BackendStatistics& mine, BackendStatistics& other) {
  mine.counters += other.counters;
  mine.panic |= other.panic;
  mine.on_backups |= other.on_backups;
  mine.discovered = std::max(mine.discovered, other.discovered);
  merge_by_uid(mine.servers, std::move(other.servers));
}

// Both are sorted by uid, each uid once; so is the result.
template <typename Item>
void merge_by_uid(std::vector<Item>& mine, std::vector<Item>&& others) {
  if (mine.empty()) {
    mine = std::move(others);
    return;
  }
  std::vector<Item> merged;
  merged.reserve(std::max(mine.size(), others.size()));
  auto next = mine.begin();
  for (Item& other : others) {
    while (next != mine.end() && next->uid < other.uid) merged.push_back(std::move(*next++));
    if (next != mine.end() && next->uid == other.uid) {
      add(*next, other);
    } else {
      merged.push_back(std::move(other));
    }
  }
  std::move(next, mine.end(), std::back_inserter(merged));
  mine = std::move(merged);
}

// For what has no uid in common.
void absorb(ServerStatistics& first, ServerStatistics&& other) { add(first, other); }
void absorb(ListenerStatistics& first, ListenerStatistics&& other) { add(first, other); }
void absorb(BackendStatistics& first, BackendStatistics&& other) {
  first.counters += other.counters;
  first.panic |= other.panic;
  first.on_backups |= other.on_backups;
  first.discovered = std::max(first.discovered, other.discovered);
  std::ranges::move(other.servers, std::back_inserter(first.servers));
}

template <typename Item>
void merge_by_name(std::vector<Item>& items) {
  absl::flat_hash_map<std::string, size_t> places;
  size_t kept = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    auto [place, is_new] = places.try_emplace(items[i].name, kept);
    if (!is_new) {
      absorb(items[place->second], std::move(items[i]));
      continue;
    }
    if (kept != i) items[kept] = std::move(items[i]);
    ++kept;
  }
  items.erase(items.begin() + static_cast<ptrdiff_t>(kept), items.end());
}

}  // namespace

void Statistics::sum_by_name() {
  merge_by_name(backends);
  for (BackendStatistics& backend : backends) merge_by_name(backend.servers);
  merge_by_name(listeners);
}

void Statistics::merge(Statistics other) {
  merge_by_uid(backends, std::move(other.backends));
  merge_by_uid(listeners, std::move(other.listeners));
  std::ranges::move(other.checks, std::back_inserter(checks));
  std::ranges::move(other.ejections, std::back_inserter(ejections));
  log_lines_dropped += other.log_lines_dropped;
}

}  // namespace fairlead::observe
