#include "proxy/rates.h"

#include <algorithm>

#include "absl/hash/hash.h"

namespace fairlead::proxy {

using config::Duration;
using config::RateLimit;
using runtime::TimePoint;

Duration take_token(const RateLimit& limit, TimePoint now, int64_t& full_at) {
  const int64_t interval = limit.interval().count();
  const int64_t moment = now.time_since_epoch().count();
  const int64_t empty = moment + interval * limit.effective_burst();
  // A limit that was changed may have left more than the present one holds.
  full_at = std::clamp(full_at, moment, empty);
  const int64_t with_this = full_at + interval;
  if (with_this > empty) return Duration(with_this - empty);
  full_at = with_this;
  return Duration::zero();
}

Duration RateBucket::take(const RateLimit& limit, TimePoint now) {
  int64_t before = full_at_.load(std::memory_order_relaxed);
  while (true) {
    int64_t after = before;
    Duration wait = take_token(limit, now, after);
    if (after == before) return wait;
    if (full_at_.compare_exchange_weak(before, after, std::memory_order_relaxed)) return wait;
  }
}

AddressTable::AddressTable(uint32_t addresses)
    : wanted_(addresses), groups_(std::max<size_t>(addresses / std::tuple_size_v<Group>, 1)) {}

Duration AddressTable::take(uint64_t address, const RateLimit& limit, TimePoint now) {
  // (Seeded for each process: nobody can choose addresses that meet in one group.)
  const size_t number = absl::HashOf(address) % groups_.size();
  std::lock_guard lock(locks_[number % kLocks]);
  Group& group = groups_[number];
  auto entry = std::ranges::find(group, address, &Entry::address);
  if (entry == group.end()) {
    entry = std::ranges::min_element(group, {}, &Entry::full_at);
    *entry = {.address = address};
  }
  return take_token(limit, now, entry->full_at);
}

std::shared_ptr<RateBucket> SharedListener::bucket_of(const config::Route& route) {
  std::string key = route.path_prefix;
  for (const std::string& host : route.hosts) key.append(1, '\n').append(host);
  std::lock_guard lock(mutex_);
  if (auto known = buckets_.find(key); known != buckets_.end()) {
    if (auto present = known->second.lock()) return present;
  }
  absl::erase_if(buckets_, [](const auto& entry) { return entry.second.expired(); });
  auto added = std::make_shared<RateBucket>();
  buckets_[key] = added;
  return added;
}

std::shared_ptr<AddressTable> SharedListener::table_of(uint32_t addresses) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<AddressTable> table = table_.lock();
  if (table && table->wanted() == addresses) return table;
  table = std::make_shared<AddressTable>(addresses);
  table_ = table;
  return table;
}

std::unique_ptr<ListenerRates> ListenerRates::of(const config::Listener& record, SharedListener& shared) {
  auto has_limit = [](const config::Route& route) { return route.rate_limit.is_set(); };
  const bool has_client_limit = record.client_rate_limit.limit.is_set();
  const bool has_route_limit = std::ranges::any_of(record.routes, has_limit);
  if (!record.rate_limit.is_set() && !has_client_limit && !has_route_limit) return nullptr;
  std::unique_ptr<ListenerRates> rates(new ListenerRates(shared));
  if (has_client_limit) rates->addresses_ = shared.table_of(record.client_rate_limit.effective_max_addresses());
  if (!has_route_limit) return rates;
  for (const config::Route& route : record.routes) {
    rates->routes_.push_back(has_limit(route) ? shared.bucket_of(route) : nullptr);
  }
  return rates;
}

Duration ListenerRates::take(const config::Listener& record, uint64_t client, uint16_t route, TimePoint now) {
  if (addresses_ && client != 0) {
    Duration wait = addresses_->take(client, record.client_rate_limit.limit, now);
    if (wait > Duration::zero()) return wait;
  }
  if (record.rate_limit.is_set()) {
    Duration wait = shared_.bucket.take(record.rate_limit, now);
    if (wait > Duration::zero()) return wait;
  }
  if (route >= routes_.size() || !routes_[route]) return Duration::zero();
  return routes_[route]->take(record.routes[route].rate_limit, now);
}

}  // namespace fairlead::proxy
