#include "observe/statistics.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fairlead::observe {
namespace {

void add(ServerStatistics& mine, const ServerStatistics& other) { mine.counters += other.counters; }

void add(ListenerStatistics& mine, const ListenerStatistics& other) {
  mine.connections += other.connections;
  mine.accepted += other.accepted;
  mine.refused += other.refused;
  mine.bad_requests += other.bad_requests;
  mine.unrouted += other.unrouted;
}

template <typename Item>
void merge_by_uid(std::vector<Item>& mine, const std::vector<Item>& others);

void add(BackendStatistics& mine, const BackendStatistics& other) {
  mine.counters += other.counters;
  merge_by_uid(mine.servers, other.servers);
}

// Both are sorted by uid, each uid once; so is the result.
template <typename Item>
void merge_by_uid(std::vector<Item>& mine, const std::vector<Item>& others) {
  std::vector<Item> merged;
  merged.reserve(std::max(mine.size(), others.size()));
  auto next = mine.begin();
  for (const Item& other : others) {
    while (next != mine.end() && next->uid < other.uid) merged.push_back(std::move(*next++));
    if (next != mine.end() && next->uid == other.uid) {
      add(*next, other);
    } else {
      merged.push_back(other);
    }
  }
  std::move(next, mine.end(), std::back_inserter(merged));
  mine = std::move(merged);
}

}  // namespace

void Statistics::merge(const Statistics& other) {
  merge_by_uid(backends, other.backends);
  merge_by_uid(listeners, other.listeners);
  log_lines_dropped += other.log_lines_dropped;
}

}  // namespace fairlead::observe
