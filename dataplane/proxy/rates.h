// Token buckets of a listener: for all of it, for each of its routes, for each client address. One for all workers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "config/model.h"
#include "proxy/client_counts.h"
#include "runtime/time.h"

namespace fairlead::proxy {

// A bucket is one number: when it will be full again (the generic cell rate algorithm, ITU-T I.371, turned round).
// Gives what to wait until there is a token, or takes one and gives zero.
config::Duration take_token(const config::RateLimit& limit, runtime::TimePoint now, int64_t& full_at);

// Any thread.
class RateBucket {
 public:
  // As take_token().
  config::Duration take(const config::RateLimit& limit, runtime::TimePoint now);

 private:
  std::atomic<int64_t> full_at_ = 0;
};

// A bucket for each of the addresses that came last: memory is what it was made with. Whoever has been silent longest
// of four is forgotten for one that is new; one that is forgotten begins with a full bucket. Any thread.
class AddressTable {
 public:
  // About so many addresses.
  explicit AddressTable(uint32_t addresses);
  config::Duration take(uint64_t address, const config::RateLimit& limit, runtime::TimePoint now);
  uint32_t wanted() const { return wanted_; }

 private:
  struct Entry {
    uint64_t address = 0;
    int64_t full_at = 0;
  };
  using Group = std::array<Entry, 4>;
  static constexpr size_t kLocks = 64;

  const uint32_t wanted_;
  std::vector<Group> groups_;  // each guarded by the lock of its number
  std::array<std::mutex, kLocks> locks_;
};

// What the workers have of a listener together. Outlives their parts of it.
class SharedListener {
 public:
  // Connections that are open.
  std::atomic<uint32_t> open = 0;
  RateBucket bucket;
  // Of those that came while there was a limit for each client.
  ClientCounts client_counts;

  // The bucket of a route goes by what the route matches, so it outlives changes beside it.
  std::shared_ptr<RateBucket> bucket_of(const config::Route& route);
  // One of this size, the present one where it has that.
  std::shared_ptr<AddressTable> table_of(uint32_t addresses);

 private:
  std::mutex mutex_;
  absl::flat_hash_map<std::string, std::weak_ptr<RateBucket>> buckets_;  // guarded by mutex_
  std::weak_ptr<AddressTable> table_;                                    // guarded by mutex_
};

// A listener's limits as one worker sees them: of one record of it. One thread.
class ListenerRates {
 public:
  // Null where the listener and its routes have none.
  static std::unique_ptr<ListenerRates> of(const config::Listener& record, SharedListener& shared);

  // `client`: Client::source(). `route`: as in config::RouteTarget. Zero, or what to wait: as take_token().
  config::Duration take(const config::Listener& record, uint64_t client, uint16_t route, runtime::TimePoint now);

 private:
  explicit ListenerRates(SharedListener& shared) : shared_(shared) {}

  SharedListener& shared_;
  // By number; null for those without a limit.
  std::vector<std::shared_ptr<RateBucket>> routes_;
  std::shared_ptr<AddressTable> addresses_;
};

}  // namespace fairlead::proxy
